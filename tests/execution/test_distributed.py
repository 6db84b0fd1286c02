"""Several processes that share a list of work; real ones, on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import jaxdream as jd
from jaxdream.cli import command_parts, session
from jaxdream.cli.options import Parser
from jaxdream.execution import distributed
from jaxdream.execution.distributed import Process, rendezvous, shard

# A share of the work: in a folder, a file for each item once it is done.
WORKER = """
import sys, time
from pathlib import Path
import jax, jax.numpy as jnp
from jaxdream.execution.distributed import rendezvous, shard
with rendezvous(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), timeout=60) as process:
    assert len(jax.devices()) == len(jax.local_devices())
    assert process.broadcast((5 - process.index, 7)) == (5, 7)
    for item in shard(range(30), process.index, process.count):
        total = jax.jit(jnp.sum)(jnp.arange(item + 1))
        Path(f"{item}.part").write_text(str(total))
        Path(f"{item}.part").rename(str(item))
        time.sleep(0.2)
"""


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@given(st.lists(st.integers(), max_size=50), st.integers(1, 9))
def test_every_item_is_in_one_shard_and_shards_are_even(items, count):
    shares = [shard(items, index, count) for index in range(count)]
    assert sorted(chain(*shares)) == sorted(items)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(jd.JaxdreamError, match=f"from 0 to {count - 1}, not {count}"):
        shard(items, count, count)


@pytest.mark.slow
def test_a_lost_process_loses_only_what_it_has_not_done(tmp_path, port):
    """First one is killed, then the coordinator; the last goes on to its end."""
    shares = [shard(range(30), index, 3) for index in range(3)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, f"127.0.0.1:{port}", "3", str(index)],
            cwd=tmp_path,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(3)
    ]
    try:
        for victim in (1, 0):
            wait_until(lambda victim=victim: (tmp_path / str(shares[victim][1])).exists())
            workers[victim].kill()
            assert workers[victim].wait() == -signal.SIGKILL
        said = workers[2].communicate(timeout=60)[1]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert (workers[2].returncode, said) == (0, "")
    done = {int(path.name) for path in tmp_path.iterdir() if not path.suffix}
    assert done >= {*shares[2], shares[0][0], shares[0][1], shares[1][0], shares[1][1]}
    assert not done >= {*shares[0]}
    for item in done:
        assert int((tmp_path / str(item)).read_text()) == item * (item + 1) // 2


@pytest.mark.slow
def test_a_batch_goes_on_without_its_coordinator(tmp_path, port, environment, run):
    (tmp_path / "in").mkdir()
    for number in range(24):
        Image.effect_noise((64, 48), number + 1).save(tmp_path / "in" / f"{number}.png")
    batch = ["batch", "in", "-o", "out", "--model", "googlenet_mini", "--layer", "conv1/7x7_s2"]
    batch += ["--steps", "10", "--octaves", "1", "--batch", "1"]
    of_two = ["--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process-id"]
    first, second = (
        subprocess.Popen(
            [sys.executable, "-m", "jaxdream", *batch, *of_two, number],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in "01"
    )
    dreams = tmp_path / "out"
    try:
        wait_until(lambda: any(dreams.glob("*.png")))
        first.kill()
        first.communicate()
        printed, said = second.communicate(timeout=100)
    finally:
        second.kill()
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0), said
    assert "out: 12 dreamed, 0 done before, 0 failed of 12 pictures" in printed
    done = len(list(dreams.glob("*.png")))
    assert 12 <= done < 24
    printed = run(*batch).stdout
    assert f"out: {24 - done} dreamed, {done} done before, 0 failed of 24 pictures" in printed


@pytest.mark.slow
def test_a_process_lost_before_the_work_begins_is_reported(port):
    program = "import sys; from jaxdream.execution.distributed import rendezvous\n"
    program += (
        "with rendezvous(sys.argv[1], 2, 0, timeout=60): print('joined', flush=True); input()"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", program, f"127.0.0.1:{port}"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as first,
        rendezvous(f"127.0.0.1:{port}", 2, 1, timeout=60) as second,
    ):
        assert first.stdout.readline() == "joined\n"
        first.kill()
        with pytest.raises(jd.JaxdreamError, match="lost before the work began: start all"):
            second.broadcast((1, 2))


@pytest.mark.slow
def test_slurm_gives_the_index_and_the_gpus(port):
    program = "import jax; from jaxdream.execution.distributed import rendezvous\n"
    program += "with rendezvous(timeout=60) as process: print(process.index, process.count, "
    # At once: a process that has lost the other one ends without what it kept back.
    program += "jax.config.read('jax_cuda_visible_devices'), flush=True)"
    slurm = {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "JAX_COORDINATOR_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | slurm | {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    assert [task.communicate(timeout=90)[0].split() for task in tasks] == [
        ["0", "2", "0"],
        ["1", "2", "1"],
    ]


@pytest.mark.slow
def test_processes_that_do_not_join_are_reported(port):
    here, nowhere = f"127.0.0.1:{port}", "nowhere.invalid:1234"
    with ThreadPoolExecutor() as threads:
        first, second = (
            threads.submit(join, address, 2, index, timeout=1)
            for index, address in enumerate((here, nowhere))
        )
    with pytest.raises(jd.JaxdreamError, match=f"not all 2 processes joined {here} within 1 sec"):
        first.result()
    with pytest.raises(jd.JaxdreamError, match=f"no coordinator at {nowhere} within 1 seconds"):
        second.result()


def test_a_port_in_use_is_reported():
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::", 0))
        taken.listen()
        with pytest.raises(jd.JaxdreamError, match="is in use: choose another"):
            join(f"127.0.0.1:{taken.getsockname()[1]}", 2, 0, timeout=5)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--coordinator here:1", "--processes and --process-id missing"),
        ("--processes 2 --process-id 0", "--coordinator missing"),
        ("--coordinator here:1 --processes 2 --process-id 2", "--process-id is from 0 to 1, not 2"),
        ("--coordinator here --processes 2 --process-id 0", "such as 10.0.0.1:1234, not here"),
        ("--coordinator here:x --processes 2 --process-id 0", "such as 10.0.0.1:1234, not here:x"),
        ("--distributed", "no TPU pod and no step of Slurm or Open MPI"),
    ],
)
def test_bad_options_are_reported(options, line):
    with pytest.raises(jd.JaxdreamError, match=line):
        session.rendezvous(parsed(options)).__enter__()


def test_without_options_there_is_one_process(monkeypatch):
    monkeypatch.setattr(distributed, "rendezvous", None)
    with session.rendezvous(parsed("")) as process:
        assert process == Process(0, 1)
        assert process.broadcast((1, 2)) == (1, 2)


def join(*arguments, **options):
    with rendezvous(*arguments, **options) as process:
        return process


def parsed(options):
    parser = Parser()
    command_parts.add_processes(parser)
    return parser.parse_args(options.split())
