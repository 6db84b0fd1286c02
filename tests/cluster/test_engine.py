"""Addresses, what workers take of machines, and what there is to say without Ray."""

from types import SimpleNamespace

import pytest

from jaxdream import JaxdreamError
from jaxdream.cluster.engine import check_address, find_workers, ray_data
from jaxdream.cluster.optional import imported
from jaxdream.settings import Compute


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "head:6379", "[::1]:6379"])
def test_addresses(address):
    check_address(address)


@pytest.mark.parametrize("address", ["", "photos", "ray://head:10001", "head:", "a b:1"])
def test_what_is_no_address(address):
    with pytest.raises(JaxdreamError, match="--cluster takes auto, local or HOST:PORT"):
        check_address(address)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray.data", None)
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[cluster\]'"):
        ray_data()
    with pytest.raises(JaxdreamError, match="No module named 'no_such_module'"):
        imported("no_such_module")


@pytest.fixture
def cluster_of(monkeypatch):
    """Has Ray say that there are machines with these resources."""

    def make(*nodes):
        found = [{name: float(n) for name, n in node.items()} for node in nodes]
        ray = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": one} for one in found])
        monkeypatch.setattr("jaxdream.cluster.engine.imported", lambda _: ray)

    return make


@pytest.mark.parametrize(
    ("nodes", "platform", "now"),
    [
        ([{"CPU": 1}], "cpu", 1),
        ([{"CPU": 1}, {"CPU": 64}, {"CPU": 0}], "cpu", 2),
        ([{"CPU": 2}], "cpu", 1),
        ([{"CPU": 64, "GPU": 8}, {"CPU": 16}], "gpu", 8),
        ([{"CPU": 1, "GPU": 8}], "gpu", 8),
        ([{"CPU": 1, "GPU": 1}, {"CPU": 8, "GPU": 4}], "gpu", 5),
        ([{"CPU": 4, "TPU": 4}] * 2, "tpu", 8),
    ],
)
def test_beside_the_workers_each_kind_of_task_has_room(cluster_of, nodes, platform, now):
    cluster_of(*nodes)
    workers = find_workers(Compute())
    assert (workers.platform, workers.now) == (platform, now)
    taken = workers.options["num_cpus"]
    assert 0 < workers.reading_cpus != taken
    for node in nodes:
        at_work = int(node.get(platform.upper(), 0)) if platform != "cpu" else 1
        if at_work and node["CPU"]:
            assert node["CPU"] - at_work * taken >= 3 * workers.reading_cpus


def test_a_device_that_no_machine_has(cluster_of):
    cluster_of({"CPU": 4})
    with pytest.raises(JaxdreamError, match="no machine of the cluster has a GPU"):
        find_workers(Compute(), "gpu")
    cluster_of({"CPU": 0})
    with pytest.raises(JaxdreamError, match="has processors for Ray to use"):
        find_workers(Compute())
