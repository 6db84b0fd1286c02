"""``jaxdream zoom`` as a process."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.images.picture_files import read_recipe_text

QUICK = ["--steps", "2", "--octaves", "1", "--jitter", "4", "--size", "48"]
QUICK += ["--layer", "inception_3a/output", "--model", "googlenet_mini"]
MOVING = ["--zoom", "0.1", "--rotate", "-2", "--shift", "1.5", "-1", "--seed", "7"]
KEPT = {"zoom.json", "zoom.npz"}


def names(folder):
    return {path.name for path in folder.iterdir()}


def pictures(folder, count):
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    return np.stack([jd.read_image(path) for path in paths])


def test_frames_are_those_of_python_and_go_on(run, photo, tmp_path):
    done = run("zoom", photo, "-o", "out", "--frames", "2", *QUICK, *MOVING)
    assert done.stdout == "wrote out: 2 frames\n"
    assert done.stderr == ""
    assert names(tmp_path / "out") == KEPT | {"0001.png", "0002.png"}
    done = run("zoom", photo, "-o", "out", "--frames", "4", *QUICK, *MOVING, "--fps", "10")
    assert "going on after frame 2 of 4 in out" in one_line(done)

    import jax

    picture = jd.images.resize_picture(jd.images.read_picture(photo), (40, 48))
    frames = jd.iterate_zoom(
        jax.random.key(7),
        jd.load_model("googlenet_mini"),
        picture.pixels,
        frames=4,
        zoom=0.1,
        rotate=-2.0,
        shift=(1.5, -1),
        objective=jd.objectives.layer("inception_3a/output"),
        steps=2,
        octaves=1,
        jitter=4,
    )
    expected = np.stack([np.asarray(frame).clip(0, 255).round() for frame in frames])
    np.testing.assert_array_equal(pictures(tmp_path / "out", 4), expected)

    done = run("zoom", photo, "-o", "out", "--frames", "3", *QUICK, *MOVING)
    assert "has 4 frames already: nothing to dream" in one_line(done)
    other = one_line(run("zoom", photo, "-o", "out", *QUICK, code=2))
    assert "out holds frames of another zoom" in other
    assert "zoom 0.1 there and 0.05 now" in other
    assert "shift [1.5, -1.0] there and [0.0, 0.0] now" in other
    assert names(tmp_path / "out") == KEPT | {f"{n:04d}.png" for n in range(1, 5)}


def test_videos_with_and_without_their_frames(run, photo, tmp_path):
    import av

    first = ["zoom", photo, "-o", "z.mp4", *QUICK, "--easing", "in-out", "--frames", "3"]
    assert run(*first, "--keep-frames").stdout == "wrote z.mp4: 3 frames\n"
    assert names(tmp_path) == {"photo.png", "z.mp4", "z.mp4.frames"}
    longer = run(*first[:-1], "5", code=2)
    assert "frames 3 there and 5 now" in one_line(longer)
    run(*first, "--fps", "12.5")  # the frames are there: only the video is written anew
    assert names(tmp_path) == {"photo.png", "z.mp4"}
    with av.open(tmp_path / "z.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.width, stream.height) == (3, 48, 40)
        assert float(stream.average_rate) == 12.5
        assert '"easing": "in-out"' in container.metadata["comment"]

    for suffix, alpha in ((".gif", None), (".webp", np.full((60, 72), 9, np.uint8))):
        jd.write_image(tmp_path / "in.png", jd.read_image(photo), alpha=alpha)
        options = ["--frames", "2", "--classic-warp", "--octaves", "3", "--octave-scale", "2.5"]
        done = run("zoom", "in.png", "-o", f"z{suffix}", *QUICK, *options)
        assert ("transparency is left out" in done.stderr) == (alpha is not None)
        assert done.stderr.count("2 of 3 octaves") == 1, "what all frames warn of, once"
        with Image.open(tmp_path / f"z{suffix}") as image:
            image.load()
            assert (image.n_frames, image.size) == (2, (48, 40))
            assert image.info["duration"] == 40
        assert '"classic_warp": true' in read_recipe_text(tmp_path / f"z{suffix}")
        assert not (tmp_path / f"z{suffix}.frames").exists()


def wait_for(path, process, seconds=300):
    deadline = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists(), "the frame never came"


@pytest.fixture
def start(environment, tmp_path):
    """Starts the command line in the background; ends it with the test."""
    begun = []
    # Where the tests run in the background, Ctrl-C is ignored, and programs inherit that.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from jaxdream.cli.main import main; main()"
    )

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stderr.close()


def test_killed_then_interrupted_then_gone_on_with_is_as_never_stopped(run, start, photo, tmp_path):
    arguments = ["zoom", photo, *QUICK, *MOVING, "--steps", "4"]
    process = start(*arguments, "-o", "z.gif", "--frames", "10000")
    wait_for(tmp_path / "z.gif.frames" / "0002.png", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "z.gif").exists()
    kept = max(path.name for path in (tmp_path / "z.gif.frames").glob("0*.png"))

    process = start(*arguments, "-o", "z.gif", "--frames", "10000")
    wait_for(tmp_path / "z.gif.frames" / f"{int(kept[:4]) + 2:04d}.png", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    assert "going on after frame" in said
    assert "z.gif shows them; the same command goes on from there" in said
    assert "Traceback" not in said
    count = int(said.split("interrupted: ")[-1].split()[0])
    with Image.open(tmp_path / "z.gif") as image:
        assert image.n_frames == count >= 4

    total = count + 1
    run(*arguments, "-o", "z.gif", "--frames", total, "--keep-frames")
    run(*arguments, "-o", "whole", "--frames", total)
    np.testing.assert_array_equal(
        pictures(tmp_path / "z.gif.frames", total), pictures(tmp_path / "whole", total)
    )


def test_interrupted_before_the_first_frame_nothing_is_written(start, photo, tmp_path):
    process = start("zoom", photo, "-o", "z.gif", *QUICK, "--steps", "100000", "--octaves", "9")
    said = process.stderr.readline()
    assert "octaves: smaller ones" in said  # which is said after the first step
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert (process.returncode, said.count("\n")) == (130, 1)
    assert "interrupted before the first frame: nothing written" in said
    assert names(tmp_path) == {"photo.png"}


BAD = {
    "missing": ("nowhere.png", "nowhere.png: no such file"),
    "too small": ("small.png", "needs at least"),
    "frames": ("photo.png --frames 0", "frames must be at least 1"),
    "zoom": ("photo.png --zoom 1", "over -1 and under 1"),
    "rotate": ("photo.png --rotate nan", "finite number of degrees"),
    "shift": ("photo.png --shift 1", "expected 2 arguments"),
    "easing": ("photo.png --easing inn", "did you mean in?"),
    "fps": ("photo.png --fps 0", "frames a second, not 0"),
    "fps of a gif": ("photo.png -o out.gif --fps 60", "50 frames a second"),
    "fps of a folder": ("photo.png -o out --fps -1", "must be over 0"),
    "steps": ("photo.png --steps 0", "steps must be at least 1"),
    "layer": ("photo.png --layer inception_4c/ouput", "inception_4c/output"),
    "suffix": ("photo.png -o out.avi", "not as '.avi'"),
    "no parent": ("photo.png -o no/z.gif", "there is no folder no"),
    "a file": ("photo.png -o text", "text is a file"),
    "frames of a file": ("photo.png -o text.gif", "text.gif.frames is a file"),
    "onto itself": ("move.gif -o move.gif", "is the input"),
    "other frames": ("photo.png -o others", "not the zoom.json of a zoom"),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    Image.effect_noise((64, 48), 60).convert("RGB").save(folder / "photo.png")
    Image.new("RGB", (40, 40)).save(folder / "move.gif")
    Image.new("RGB", (5, 5)).save(folder / "small.png")
    (folder / "text").write_text("")
    (folder / "text.gif.frames").write_text("")
    (folder / "others").mkdir()
    Image.new("RGB", (5, 5)).save(folder / "others" / "0001.png")
    return folder


@pytest.fixture(scope="module")
def answers(environment, corpus):
    """Exit code and stderr of every bad command line, all run in one process: JAX starts slowly."""
    code = """
import contextlib, io, json, sys
from jaxdream.cli.main import main
answers = {}
for case, arguments in json.load(sys.stdin).items():
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main(["zoom", *arguments.split(), "--model", "googlenet_mini"])
        except SystemExit as end:
            answers[case] = end.code, said.getvalue()
print(json.dumps(answers))
"""
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps({case: arguments for case, (arguments, _) in BAD.items()}),
        cwd=corpus,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()} == before
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(answers, case):
    code, said = answers[case]
    assert code == 2
    assert said.startswith("jaxdream: ")
    assert said.count("\n") == 1, said
    assert BAD[case][1] in said


def test_without_pyav_it_says_so_at_once(environment, photo, tmp_path):
    (tmp_path / "hidden" / "av").mkdir(parents=True)
    (tmp_path / "hidden" / "av" / "__init__.py").write_text("raise ImportError('none here')")
    path = os.pathsep.join([str(tmp_path / "hidden"), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "jaxdream", "zoom", str(photo)],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'jaxdream[video]'" in one_line(done)


def test_at_real_size_with_the_real_network(run, shared, tmp_path):
    weights = shared / "weights" / "bvlc_googlenet.caffemodel"
    options = ["--model", "googlenet", "--weights", weights, "--size", "512", "--steps", "2"]
    photo = shared / "photos" / "cat.jpg"
    run("zoom", photo, "-o", "z.webp", *options, "--octaves", "1", "--frames", "2", "--keep-frames")
    first, second = pictures(tmp_path / "z.webp.frames", 2)
    assert first.shape == (341, 512, 3)
    expected = np.asarray(jd.warp(first, zoom=0.05))
    assert 1 < np.abs(second - expected).mean() < 8, "two steps of 1.5 levels"
    assert np.abs(second - first).mean() > 10
