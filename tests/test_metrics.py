"""`fairlead.metrics`."""

from __future__ import annotations

from fairlead.metrics import Metrics


def test_an_interval_is_shown_once_it_is_closed() -> None:
    metrics = Metrics("consul", "host1")
    sampler = metrics.sampler("http.GET.v1.kv._")
    for value in (1.0, 3.0):
        sampler.add(value)
    assert metrics.as_json()["Samples"] == []
    metrics.rotate()
    (sample,) = metrics.as_json()["Samples"]
    assert sample["Name"] == "consul.http.GET.v1.kv._"
    assert (sample["Count"], sample["Sum"], sample["Min"], sample["Max"]) == (2, 4.0, 1.0, 3.0)
    assert (sample["Mean"], sample["Stddev"], sample["Rate"]) == (2.0, 1.0, 0.4)
    metrics.rotate()
    assert metrics.as_json()["Samples"] == []


def test_gauges_carry_the_host_name_unless_it_is_disabled() -> None:
    for hostname, name in (("host1", "consul.host1.runtime.x"), ("", "consul.runtime.x")):
        metrics = Metrics("consul", hostname)
        metrics.gauge("runtime.x", 5)
        assert metrics.as_json()["Gauges"] == [{"Name": name, "Value": 5, "Labels": {}}]


def test_prometheus_sees_running_totals() -> None:
    metrics = Metrics()
    metrics.gauge("runtime.sys_bytes", 12)
    sampler, counter = metrics.sampler("kvs.apply"), metrics.counter("raft.apply")
    for value in range(1, 101):
        sampler.add(float(value))
        counter.add()
    metrics.rotate()
    counter.add(5)
    text = metrics.as_prometheus()
    assert "# TYPE consul_runtime_sys_bytes gauge\nconsul_runtime_sys_bytes 12\n" in text
    assert "# TYPE consul_raft_apply counter\nconsul_raft_apply 105\n" in text
    assert 'consul_kvs_apply{quantile="0.5"} 50\n' in text
    assert 'consul_kvs_apply{quantile="0.99"} 99\n' in text
    assert "consul_kvs_apply_sum 5050\nconsul_kvs_apply_count 100\n" in text


def test_a_sampler_without_values_has_no_quantiles() -> None:
    metrics = Metrics()
    metrics.sampler("kvs.apply")
    text = metrics.as_prometheus()
    assert 'consul_kvs_apply{quantile="0.5"} NaN\n' in text
    assert "consul_kvs_apply_count 0\n" in text


def test_many_values_take_no_more_room_than_a_few() -> None:
    sampler = Metrics().sampler("x")
    for _ in range(50_000):
        sampler.add(1.0)
    assert len(sampler._values) < 4096
    sampler.fold()
    assert len(sampler.recent) == 512
    assert sampler.count == 50_000
