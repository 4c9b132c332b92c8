"""`make bench`: Fairlead and, where it can be had, real Consul under the same load.

`operations.py` is the list of what wrk measures, `watchers.py` and `million.py`
measure with a client of our own; `report.py` prints one table of it all.

Rule: figures are compared within one run only, each peer loaded while the other
is stopped; a run in which a request failed is an error, not a figure.
"""
