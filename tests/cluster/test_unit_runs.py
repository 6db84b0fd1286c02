"""What units see, on Ray on this machine: the files of one machine, whatever ends in between."""

import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from cluster_extras import REQUIRED
from tiny_network import tiny_network

import jaxdream as jd
from jaxdream import JaxdreamError

pytestmark = pytest.mark.slow
assert REQUIRED in (True, False)

DRAW = {"size": 16, "steps": 2}
FIND = {"size": "16", "batch": 3, "top": 4}
SHOW = {"channels": [0, 3], "visualize": jd.VisualizeSettings(steps=2)}
LAYERS = ["second", "relu"]


def draw(draw_units, out):
    return draw_units(3, tiny_network(), out, LAYERS, **DRAW)


def find(find_examples, folder, out):
    return find_examples(tiny_network(), [folder], out, LAYERS, **FIND, **SHOW)


def contents(folder):
    found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file()}
    journal = Path("jaxdream.jsonl")  # whose lines come as parts are done
    return {name: path.read_bytes() for name, path in found.items() if name != journal}


@pytest.fixture
def pictures(tmp_path):
    """A folder of small pictures, one of which is broken."""
    random = np.random.default_rng(9)
    (tmp_path / "in").mkdir()
    for i in range(10):
        jd.write_image(tmp_path / "in" / f"{i}.png", random.uniform(0, 255, (16 + i, 18, 3)))
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "in"


@pytest.fixture
def killed():
    """Kills a worker that is at work, once; afterwards tells that it did."""
    done = []

    def run():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not done:
            for process in psutil.process_iter(["cmdline"]):
                if (process.info["cmdline"] or [""])[0].startswith("ray::PartWorker.do"):
                    process.kill()
                    done.append(process.pid)
                    break
            time.sleep(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    yield done
    thread.join(150)
    assert done, "no worker was killed"


@pytest.mark.usefixtures("local_ray", "killed")
def test_channels_although_a_worker_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 16 * 16)  # two at once
    list(draw(jd.visualize_units, tmp_path / "expected"))
    steps = list(draw(jd.cluster.visualize_units, tmp_path / "out"))
    assert [step.text for step in steps if "channels" in step.text][-1] == "4/4 channels of relu"
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")
    # What one machine made is known to a cluster, and the other way round.
    assert list(draw(jd.visualize_units, tmp_path / "out")) == []
    (tmp_path / "expected" / "second_2.png").unlink()
    texts = [step.text for step in draw(jd.cluster.visualize_units, tmp_path / "expected")]
    assert texts == ["5/5 channels of second", "sheet 1 of second"]
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


@pytest.mark.usefixtures("local_ray", "killed")
def test_examples_although_a_worker_is_killed(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures.parent)  # where no worker is
    list(find(jd.examples_of_files, "in", tmp_path / "expected"))
    steps = list(find(jd.cluster.examples_of_files, "in", "out"))
    (failed,) = [one for step in steps for one in step.failed]
    assert failed.name == "broken.png"
    assert failed.reason.startswith("in/broken.png")
    assert [step.text for step in steps[:4]] == [f"{n}/11 pictures" for n in (3, 6, 9, 11)]
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


@pytest.mark.usefixtures("local_ray")
def test_stopped_examples_go_on_here_and_there(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxdream.units.example_parts._PARTS", 1)
    monkeypatch.setattr("jaxdream.units.example_parts._MOST", 6)  # two batches
    list(find(jd.examples_of_files, pictures, tmp_path / "expected"))
    begun = find(jd.examples_of_files, pictures, tmp_path / "out")
    next(begun)  # within a part
    begun.close()
    on_workers = find(jd.cluster.examples_of_files, pictures, tmp_path / "out")
    assert next(on_workers).text == "6/11 pictures"
    on_workers.close()
    assert (tmp_path / "out" / "unfinished.npz").exists()
    steps = list(find(jd.examples_of_files, pictures, tmp_path / "out"))
    assert steps[0].text == "9/11 pictures"
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_urls_and_what_is_wrong_are_told_at_once(pictures, tmp_path):
    with pytest.raises(JaxdreamError, match=r"s3://bucket/out is a URL: .* all machines see"):
        draw(jd.cluster.visualize_units, "s3://bucket/out")
    with pytest.raises(JaxdreamError, match="s3://bucket/in is a URL"):
        find(jd.cluster.examples_of_files, "s3://bucket/in", tmp_path)
    with pytest.raises(JaxdreamError, match="has the pictures"):
        find(jd.cluster.examples_of_files, pictures, pictures)
    with pytest.raises(JaxdreamError, match="no layer 'secnd'"):
        jd.cluster.visualize_units(3, tiny_network(), tmp_path / "out", ["secnd"])
    assert not (tmp_path / "out").exists()
