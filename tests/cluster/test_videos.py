"""The scenes of a video over Ray on this machine: the frames of one machine, whatever is lost."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from cli import conftest as command_line
from cluster_extras import REQUIRED
from PIL import Image
from safetensors import safe_open
from scene_films import CUTS, LENGTHS, QUICK, expected_frames, scenes_film
from tiny_network import tiny_network

from jaxdream import JaxdreamError
from jaxdream.cli.frames import number_of_frames
from jaxdream.cluster import dream_scenes

pytestmark = pytest.mark.slow
assert REQUIRED in (True, False)

cli, press_ctrl_c = command_line.cli, command_line.press_ctrl_c
contents = command_line.contents
OPTIONS = ["--model", "googlenet_mini", "--layer", "conv2/3x3", "--steps", "2", "--octaves", "1"]
OPTIONS += ["--frame-steps", "1", "--seed", "7"]


@pytest.fixture
def clip(tmp_path):
    return scenes_film(tmp_path / "clip.mkv", sounds=["aac"])


@pytest.mark.usefixtures("local_ray", "clip")
def test_interrupted_and_gone_on_with_it_is_the_film_of_one_machine(cli, tmp_path, press_ctrl_c):
    mask = np.full((48, 64), 255, np.uint8)
    mask[:, :20] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = [*OPTIONS[:2], *OPTIONS[4:], "--objective", "strongest(conv2/3x3, 3)"]
    options += ["--curve", "strength: 0 0.5, 100% 1", "--mask", "mask.png", "--cuts", CUTS]
    for folder in ("one", "many"):
        (tmp_path / folder).mkdir()
    command = ["video", "clip.mkv", *options, "--keep-frames", "-o"]
    cli(*command, "one/d.mp4")
    press_ctrl_c(at=1)
    done = cli(*command, "many/d.mp4", "--cluster", code=130)
    assert "the same command goes on from there" in done.notes[-1]
    (tmp_path / "many" / "d.mp4.frames" / "0008.png").unlink()  # of the longest scene the first
    done = cli(*command, "many/d.mp4", "--cluster")
    assert done.notes[0].endswith("0008.png is damaged or missing: made again")
    assert "jaxdream: going on after" in done.notes[1]
    assert done.stdout == f"wrote many/d.mp4: {sum(LENGTHS)} frames\n"
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def writer(folder, *, ends_at=None, always=False):
    """Writes frames as arrays, and notes how often; ends its process at one of them, once."""
    folder.mkdir()
    folder = str(folder)

    def write(number, image):  # sent by value, since workers do not see the tests
        import os
        import signal
        import time

        import numpy as np

        time.sleep(0.3 if number > 6 else 0)  # so that the longest scene is told of in parts
        with open(f"{folder}/{number}.log", "a") as file:
            file.write(".")
        if number == ends_at and (always or not os.path.exists(f"{folder}/ended")):
            open(f"{folder}/ended", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        np.save(f"{folder}/{number}.npy", image)

    return write


@pytest.mark.usefixtures("local_ray")
def test_where_a_worker_is_killed_another_goes_on(clip, tmp_path):
    write = writer(tmp_path / "out", ends_at=12)
    told = list(dream_scenes(tiny_network(), clip, write, cuts=CUTS, frame_steps=2, **QUICK))
    for number, frame in enumerate(expected_frames(clip, tiny_network())):
        np.testing.assert_array_equal(np.load(tmp_path / "out" / f"{number}.npy"), frame)
    places = sorted(place for each in told for place in each.places)
    assert [place.number for place in places] == list(range(sum(LENGTHS)))
    assert len({each.worker for each in told}) == 2
    times = {int(path.stem): path.stat().st_size for path in (tmp_path / "out").glob("*.log")}
    assert times[12] == 2
    assert times[7] == 1, "it went on in the middle of the scene"


@pytest.mark.usefixtures("local_ray")
def test_a_frame_that_ends_its_worker_every_time_is_one_line(clip, tmp_path):
    write = writer(tmp_path / "out", ends_at=0, always=True)
    told = dream_scenes(tiny_network(), clip, write, cuts="1", max_frames=2, **QUICK)
    why = r"^frame 1 of the video, or one that follows, ended its worker 3 times: "
    with pytest.raises(JaxdreamError, match=why) as error:
        list(told)
    assert "\n" not in str(error.value)
    assert (tmp_path / "out" / "0.log").read_text() == "..."


@pytest.mark.usefixtures("local_ray")
def test_what_a_worker_cannot_write_is_one_line(clip):
    def write(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(JaxdreamError, match=r"^No space left on device$"):
        list(dream_scenes(tiny_network(), clip, write, max_frames=1, **QUICK))
    lock = threading.Lock()
    with pytest.raises(JaxdreamError, match=r"^write cannot be sent to other machines: "):
        list(dream_scenes(tiny_network(), clip, lambda *_: lock, max_frames=1, **QUICK))


def test_the_driver_is_killed_and_started_again(make_cluster, cli, tmp_path):
    lengths = (5, 4, 3)
    clip = scenes_film(tmp_path / "long.mkv", lengths)
    cluster, _ = make_cluster(1)
    command = ["video", clip, *OPTIONS, "--cuts", "5,9", "--steps", "10", "--frame-steps", "8"]
    with_cluster = [*command, "-o", "many", "--cluster", cluster.address]
    state = tmp_path / "many" / "video.safetensors"
    run = [sys.executable, "-m", "jaxdream", *map(str, with_cluster)]
    with subprocess.Popen(run, cwd=tmp_path) as driver:
        deadline = time.monotonic() + 120
        while not state.exists():
            assert time.monotonic() < deadline
            assert driver.poll() is None
            time.sleep(0.02)
        os.kill(driver.pid, signal.SIGKILL)
        assert driver.wait(60) == -signal.SIGKILL
    with safe_open(state, framework="np") as file:
        done = int(file.metadata()["done"])
    assert 0 < done < sum(lengths)
    notes = cli(*with_cluster).notes
    assert f"jaxdream: going on after {number_of_frames(done)} in many" in notes
    cli(*command, "-o", "one")
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


WRONG = {
    "--plan": "--plan measures this machine: leave out --cluster",
    "-o s3://bucket/d.mp4": "s3://bucket/d.mp4 is a URL: with --cluster a video and its film have",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_uses_are_one_line(cli, clip, tmp_path, options):
    before = contents(tmp_path)
    (line,) = cli("video", clip, *OPTIONS, *options.split(), "--cluster", code=2).notes
    assert WRONG[options] in line
    (line,) = cli("video", clip, *OPTIONS, "--cluster", "nowhere", code=2).notes
    assert "--cluster takes auto, local or HOST:PORT of a Ray cluster, not 'nowhere'" in line
    assert contents(tmp_path) == before


def test_without_ray_it_says_what_to_install(cli, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.data", None)
    (line,) = cli("video", clip, *OPTIONS, "--cluster", code=2).notes
    assert "pip install 'jaxdream[cluster]'" in line
