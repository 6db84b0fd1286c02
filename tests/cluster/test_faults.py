"""Nodes, workers and drivers that are killed, on several nodes of Ray on this machine.

Afterwards every picture is there, byte for byte as of an undisturbed run.
"""

import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from cluster_extras import REQUIRED
from cluster_runs import dream, dreams, status
from cluster_stages import Stages
from pictures import dream_all, make_pictures
from PIL import Image
from poison import POISON, poisoned_network
from tiny_network import tiny_network

from jaxdream.cluster.shards import gather

pytestmark = pytest.mark.slow
assert REQUIRED in (True, False)

# Long enough for something to happen in between.
LONG = {"steps": 30, "max_batch": 2}


@pytest.fixture
def pictures(tmp_path):
    """Pictures, and the dreams of an undisturbed run."""
    make_pictures(tmp_path / "in", 48)
    dream_all(tmp_path / "in", tmp_path / "expected", **LONG)
    return tmp_path / "in"


@pytest.fixture
def meanwhile(tmp_path):
    """Does something as soon as there are so many dreams in the output folder."""
    threads, errors = [], []

    def wait(action, after):
        def run():
            deadline = time.monotonic() + 120
            while len(dreams(tmp_path / "out")) < after:
                if time.monotonic() > deadline:
                    errors.append(f"never were there {after} dreams")
                    return
                time.sleep(0.02)
            action()

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield wait
    for thread in threads:
        thread.join(300)
    assert not errors


def workers():
    """Processes of Ray's that dream."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::MapWorker(Map(Dream)"):
            found.append(process)
    return found


def test_a_node_is_killed_and_another_added(make_cluster, pictures, tmp_path, meanwhile):
    cluster, (node,) = make_cluster(2)

    def disturb():
        cluster.remove_node(node, allow_graceful=False)
        make_cluster.add(cluster)

    meanwhile(disturb, after=6)
    rows = dream(pictures, tmp_path / "out", address=cluster.address, **LONG)
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")
    assert "dreamed" in status(rows).values()


def test_workers_are_killed_at_random_moments(make_cluster, pictures, tmp_path, meanwhile):
    cluster, _ = make_cluster(1)
    killed = []

    def kill():
        for process in workers()[:1]:
            process.kill()
            killed.append(process.pid)

    for after in (2, 14, 26):
        meanwhile(kill, after=after)
    dream(pictures, tmp_path / "out", address=cluster.address, **LONG)
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")
    assert killed


DRIVER = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pictures import SETTINGS
from tiny_network import tiny_network
from jaxdream.cluster import dream_places
options = SETTINGS | {options!r}
list(dream_places(tiny_network(), [{inputs!r}], {out!r}, address={address!r}, **options))
"""


def start_driver(inputs, out, address, options):
    """A run in a process of its own."""
    tests = Path(__file__).resolve().parents[1]
    code = DRIVER.format(
        tests=str(tests), root=str(tests.parent), options=options, inputs=str(inputs),
        out=str(out), address=address,
    )  # fmt: skip
    return subprocess.Popen([sys.executable, "-c", code])


def test_the_driver_is_killed_and_started_again(make_cluster, pictures, tmp_path, meanwhile):
    cluster, _ = make_cluster(1)
    with start_driver(pictures, tmp_path / "out", cluster.address, LONG) as driver:
        meanwhile(lambda: os.kill(driver.pid, signal.SIGKILL), after=6)
        assert driver.wait(300) == -signal.SIGKILL
    done = dreams(tmp_path / "out")
    assert 6 <= len(done) < len(dreams(tmp_path / "expected"))
    rows = dream(pictures, tmp_path / "out", address=cluster.address, **LONG)
    assert list(status(rows).values()).count("skipped") >= 6
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")


def test_shards_after_a_driver_and_a_worker_were_killed(
    make_cluster, pictures, tmp_path, meanwhile
):
    cluster, _ = make_cluster(1)
    options = LONG | {"shards": "tar"}
    with start_driver(pictures, tmp_path / "out", cluster.address, options) as driver:
        meanwhile(lambda: os.kill(driver.pid, signal.SIGKILL), after=6)
        assert driver.wait(300) == -signal.SIGKILL
    meanwhile(lambda: [process.kill() for process in workers()], after=20)
    rows = dream(pictures, tmp_path / "out", address=cluster.address, **options)
    assert list(status(rows).values()).count("skipped") >= 6
    assert list(dreams(tmp_path / "out")) == ["shard-000000.tar"]
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as archive:
        found = {one.name: archive.extractfile(one).read() for one in archive}
    expected = dreams(tmp_path / "expected")
    assert [name for name in found if not name.endswith(".json")] == [
        rows[name].output.partition("/")[2] for name in sorted(rows) if rows[name].output_sha256
    ]
    assert {name: found[name] for name in expected} == expected
    # The same shard as of a run that nothing happened to.
    whole = tmp_path / "whole"
    for name, content in expected.items():
        path = whole / ".jaxdream-parts" / "shard-000000" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    gather(Stages(pictures, whole, tiny_network(), shards="tar").work, list(rows.values()))
    assert dreams(whole) == dreams(tmp_path / "out")


@pytest.mark.parametrize("nodes", [1, 2])
def test_nodes_with_one_processor_each(make_cluster, few, tmp_path, monkeypatch, nodes):
    monkeypatch.setattr(
        "jaxdream.cluster.listing.PART", 2
    )  # so that all stages are at work at once
    cluster, _ = make_cluster(nodes, cpus=1)
    rows = dream(few, tmp_path / "out", address=cluster.address, max_batch=2)
    assert set(status(rows).values()) == {"dreamed"}


def test_a_picture_that_ends_its_worker_is_set_aside(make_cluster, few, tmp_path):
    cluster, _ = make_cluster(1)
    Image.new("RGB", (30, 24), POISON).save(few / "0" / "poison.png")
    rows = dream(few, tmp_path / "out", model=poisoned_network(), address=cluster.address)
    assert rows["0/poison.png"].status == "failed"
    assert "it ended its worker 3 times, and was set aside" in rows["0/poison.png"].reason
    others = {name: state for name, state in status(rows).items() if name != "0/poison.png"}
    assert len(others) == 5
    assert set(others.values()) == {"dreamed"}


@pytest.mark.usefixtures("local_ray")
def test_a_full_disk_stops_it_and_it_goes_on(few, tmp_path):
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("a small file system can be mounted by root alone")
    out = tmp_path / "out"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    from jaxdream.folder.targets import TargetError

    try:
        noise = np.random.default_rng(0).integers(0, 255, (150, 150, 3), np.uint8)
        Image.fromarray(noise).save(few / "0" / "large.png")
        with pytest.raises(TargetError, match="No space left on device"):
            dream(few, out)
        assert not list(out.rglob(".*.png.*")), "whole or not at all"
        subprocess.run(["mount", "-o", "remount,size=4m", str(out)], check=True)
        assert set(status(dream(few, out)).values()) <= {"skipped", "dreamed"}
        dream_all(few, tmp_path / "expected")
        assert dreams(out) == dreams(tmp_path / "expected")
    finally:
        subprocess.run(["umount", str(out)], check=True)
