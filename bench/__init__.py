"""`make bench`: Fairlead and, where it can be had, real Consul under the same load.

`operations.py` is the list of what wrk measures, `dns.py` what dnsperf does;
`watchers.py`, `services.py` and `million.py` measure with a client of our own;
`report.py` prints one table of it all. `cluster.py` (`make bench-cluster`) compares
three servers of each, and kills leaders: `three.py`, `spread.py`, `wakes.py`,
`failover.py`, `probes.py`. Without a Consul beside them: `scale.py`
(`make bench-scale`), a thousand agents of `crowd.py` against one server, and
`checks.py` (`make bench-checks`). `prometheus.py` (`make bench-prometheus`)
times a follower of either.

Rule: figures are compared within one run only, each peer loaded while the other
is stopped; a run in which a request failed is an error, not a figure.
"""
