"""``jaxdream zoom`` with the bundled network."""

import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import jaxdream as jd
from jaxdream.cli.frames import locked
from jaxdream.files.safetensors_bytes import safetensors_bytes
from jaxdream.images.picture_files import read_picture, read_recipe_text, resize_picture

QUICK = ["--steps", "2", "--octaves", "1", "--jitter", "4", "--size", "48"]
QUICK += ["--layer", "conv2/3x3", "--model", "googlenet_mini"]
MOVING = ["--zoom", "0.1", "--rotate", "-2", "--shift", "1.5", "-1", "--seed", "7"]
KEPT = {"zoom.json", "zoom.safetensors"}


def names(folder):
    return {path.name for path in folder.iterdir()}


def pictures(folder, count):
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    return np.stack([jd.read_image(path) for path in paths])


def test_frames_are_those_of_python_and_more_can_be_added(cli, photo, tmp_path):
    done = cli("zoom", photo, "-o", "out", "--frames", "2", *QUICK, *MOVING)
    assert done == ("wrote out: 2 frames\n", "")
    assert names(tmp_path / "out") == KEPT | {"0001.png", "0002.png"}
    done = cli("zoom", photo, "-o", "out", "--frames", "4", *QUICK, *MOVING, "--fps", "10")
    assert done.stderr == "jaxdream: going on after frame 2 of 4 in out\n"

    picture = resize_picture(read_picture(photo), (40, 48))
    model = jd.load_model("googlenet_mini")
    states = jd.iterate_zoom(
        7, model, picture.pixels, "conv2/3x3", frames=4, zoom=0.1, rotate=-2.0, shift=(1.5, -1),
        steps=2, octaves=1, jitter=4,
    )  # fmt: skip
    frames = [np.asarray(state.image) for state in states if state.is_finished]
    expected = np.stack(frames).clip(0, 255).round()
    np.testing.assert_array_equal(pictures(tmp_path / "out", 4), expected)

    done = cli("zoom", photo, "-o", "out", "--frames", "3", *QUICK, *MOVING)
    assert "out has 4 frames already: nothing to dream" in done.stderr
    assert names(tmp_path / "out") == KEPT | {f"{n:04d}.png" for n in range(1, 5)}


def test_frames_of_other_settings_are_refused(cli, photo, tmp_path):
    cli("zoom", photo, "-o", "out", "--frames", "1", *QUICK, *MOVING)
    before = names(tmp_path / "out")
    (line,) = cli("zoom", photo, "-o", "out", *QUICK, code=2).notes
    assert "out holds frames of another zoom" in line
    assert "zoom 0.1 there and 0.02 now" in line
    assert "shift [1.5, -1.0] there and [0.0, 0.0] now" in line
    assert names(tmp_path / "out") == before


def test_a_film_with_and_without_its_frames(cli, photo, tmp_path):
    import av

    first = ["zoom", photo, "-o", "z.mp4", *QUICK, "--easing", "in-out", "--frames", "3"]
    assert cli(*first, "--keep-frames").stdout == "wrote z.mp4: 3 frames\n"
    assert names(tmp_path) == {"photo.png", "z.mp4", "z.mp4.frames"}
    assert names(tmp_path / "z.mp4.frames") == KEPT | {f"000{n}.png" for n in (1, 2, 3)}
    # With an easing, the movement depends on the number of frames.
    (line,) = cli(*first[:-1], "5", code=2).notes
    assert "frames 3 there and 5 now" in line
    done = cli(*first, "--fps", "12.5")  # the frames are there: only the film is written again
    assert done.stderr == "jaxdream: z.mp4.frames has 3 frames already: nothing to dream\n"
    assert names(tmp_path) == {"photo.png", "z.mp4"}
    with av.open(tmp_path / "z.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.width, stream.height) == (3, 48, 40)
        assert float(stream.average_rate) == 12.5
        assert '"easing": "in-out"' in container.metadata["comment"]


CURVES = ["--curve", "zoom: 0 0.02, 3 0.1 in", "--curve", "shift_x: 2*sin(f)"]
CURVES += ["--curve", "step_size: 1 + f/4", "--curve", "damping: 0 0, 2 0.5 hold"]


@pytest.mark.slow
def test_curves_are_those_of_python_and_more_frames_can_be_added(cli, photo, tmp_path):
    cli("zoom", photo, "-o", "out", "--frames", "2", *QUICK, *CURVES)
    done = cli("zoom", photo, "-o", "out", "--frames", "4", *QUICK, *CURVES, "--fps", "9")
    assert done.stderr == "jaxdream: going on after frame 2 of 4 in out\n"
    states = jd.iterate_zoom(
        0, jd.load_model("googlenet_mini"), resize_picture(read_picture(photo), (40, 48)).pixels,
        "conv2/3x3", frames=4, steps=2, octaves=1, jitter=4, curves=CURVES[1::2],
    )  # fmt: skip
    frames = [np.asarray(state.image) for state in states if state.is_finished]
    expected = np.stack(frames).clip(0, 255).round()
    np.testing.assert_array_equal(pictures(tmp_path / "out", 4), expected)
    settings = json.loads((tmp_path / "out" / "zoom.json").read_text())["settings"]
    assert settings["curves"] == [
        "damping: 0 0, 2 0.5 hold", "shift_x: 0 2*sin(f)", "step_size: 0 1 + f/4",
        "zoom: 0 0.02, 3 0.1 in",
    ]  # fmt: skip
    assert not {"fps", "frames"} & set(settings)
    (line,) = cli("zoom", photo, "-o", "out", "--frames", "5", *QUICK, *CURVES[:-2], code=2).notes
    assert "out holds frames of another zoom (curves [" in line


@pytest.mark.slow
def test_the_frames_a_second_matter_to_curves_in_seconds_alone(cli, photo):
    command = ["zoom", photo, "-o", "out", *QUICK, "--frames", "1", "--curve"]
    cli(*command, "rotate: 2*t", "--fps", "10")
    cli(*command, "rotate: 2*t", "--fps", "10")
    (line,) = cli(*command, "rotate: 2*t", code=2).notes
    assert "fps 10.0 there and 25.0 now" in line
    cli(*command, "rotate: 2*f", "--fps", "10", "--overwrite")
    assert "nothing to dream" in cli(*command, "rotate: 2*f").stderr


def test_with_shares_of_the_film_more_frames_are_another_zoom(cli, photo):
    command = ["zoom", photo, "-o", "out", *QUICK, "--curve", "zoom: 0 0.02, 100% 0.1", "--frames"]
    cli(*command, "2")
    (line,) = cli(*command, "3", code=2).notes
    assert "out holds frames of another zoom (frames 2 there and 3 now): give the same" in line


@pytest.mark.slow
def test_an_objective_fades_into_another_and_goes_on(cli, photo, tmp_path, press_ctrl_c):
    Image.fromarray(np.full((30, 40, 3), (200, 90, 30), np.uint8)).save(tmp_path / "guide.png")
    curve = "objective: 0 conv2/3x3, 3 guide('guide.png', pool1/3x3_s2) in-out"
    command = ["zoom", photo, *QUICK[:-4], *QUICK[-2:], "--frames", "4", "--curve", curve]
    press_ctrl_c(at=6)  # in the third frame
    cli(*command, "-o", "z.webp", "--keep-frames", code=130)
    done = cli(*command, "-o", "z.webp", "--keep-frames")
    assert done.stderr == "jaxdream: going on after frame 2 of 4 in z.webp.frames\n"
    cli(*command, "-o", "whole", "--look", "classic")
    frames = pictures(tmp_path / "z.webp.frames", 4)
    np.testing.assert_array_equal(frames, pictures(tmp_path / "whole", 4))
    cli("zoom", photo, *QUICK, "--frames", "2", "-o", "first")
    first = pictures(tmp_path / "first", 2)
    np.testing.assert_allclose(frames[0], first[0], atol=1)
    assert np.abs(frames[1] - first[1]).max() > 1
    settings = json.loads(read_recipe_text(tmp_path / "z.webp"))["settings"]
    assert settings["objective"] == ""
    assert settings["curves"] == [curve.replace("'", '"')]
    assert list(settings["files"]) == ["guide.png"]
    # Another picture under that name is another zoom.
    Image.fromarray(np.full((30, 40, 3), (20, 90, 30), np.uint8)).save(tmp_path / "guide.png")
    (line,) = cli(*command, "-o", "whole", code=2).notes
    assert "whole holds frames of another zoom (files " in line


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations(cli, photo, tmp_path, suffix):
    alpha = np.full((60, 72), 9, np.uint8)
    jd.write_image(tmp_path / "in.png", jd.read_image(photo), alpha=alpha)
    options = ["--frames", "2", "--classic", "--octaves", "12"]
    done = cli("zoom", "in.png", "-o", f"z{suffix}", *QUICK, *options)
    assert sorted(done.notes)[1] == "jaxdream: in.png: its transparency is left out"
    assert "of the 12 octaves asked for" in sorted(done.notes)[0], "once, not for each frame"
    assert len(done.notes) == 2
    with Image.open(tmp_path / f"z{suffix}") as image:
        image.load()
        assert (image.n_frames, image.size) == (2, (48, 40))
        assert image.info["duration"] == 40
    settings = json.loads(read_recipe_text(tmp_path / f"z{suffix}"))["settings"]
    assert (settings["classic_warp"], settings["zoom"]) == (True, 0.05)
    assert "damping" not in settings, "as before there was one"
    assert names(tmp_path) == {"photo.png", "in.png", f"z{suffix}"}


def test_a_film_plays_forwards_and_backwards(cli, photo, tmp_path):
    cli("zoom", photo, "-o", "z.webp", *QUICK, "--frames", "3", "--ping-pong")
    with Image.open(tmp_path / "z.webp") as image:
        assert image.n_frames == 4
        shown = []
        for number in range(4):
            image.seek(number)
            shown.append(np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(shown[1], shown[3])
    assert (shown[0] != shown[2]).any()


def test_a_film_whose_end_fades_into_its_beginning(cli, photo, tmp_path):
    options = ["--frames", "6", "--keep-frames", "--loop", "2"]
    cli("zoom", photo, "-o", "z.webp", *QUICK, *options)
    frames = pictures(tmp_path / "z.webp.frames", 6)
    with Image.open(tmp_path / "z.webp") as image:
        assert image.n_frames == 4
        shown = []
        for number in range(4):
            image.seek(number)
            shown.append(np.asarray(image.convert("RGB"), np.float32))
    blends = [(2 * frames[4] + frames[0]) / 3, (frames[5] + 2 * frames[1]) / 3]
    for film, expected in zip(shown, [*blends, frames[2], frames[3]], strict=True):
        assert np.abs(film - expected).mean() < 8, "WebP is lossy"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--loop", "--ping-pong"], "--loop and --ping-pong are two ways to repeat: give one"),
        (["--loop", "3", "--frames", "6"], "--loop 3 needs more than 6 frames, not 6"),
        (["--loop", "0"], "loop: it is a whole number from 1"),
        (["--loop", "2", "-o", "folder"], "--ping-pong and --loop are for a film"),
        (["--damping", "1.5"], "damping: it is a number from 0 to 1, not 1.5"),
    ],
)
def test_what_cannot_be_repeated_is_said(cli, photo, options, says):
    (line,) = cli("zoom", photo, *QUICK, *options, code=2).notes
    assert says in line


def test_a_folder_of_before_there_was_damping_goes_on_without(cli, photo, tmp_path):
    undamped = ["zoom", photo, *QUICK, *MOVING, "--damping", "0"]
    cli(*undamped, "-o", "out", "--frames", "2")
    state = tmp_path / "out" / "zoom.safetensors"
    with safe_open(state, framework="np") as file:
        frame, metadata = file.get_tensor("frame"), file.metadata()
    metadata["sha256"] = hashlib.sha256(b"2" + frame.tobytes()).hexdigest()
    state.write_bytes(safetensors_bytes({"frame": frame}, metadata))
    done = cli(*undamped, "-o", "out", "--frames", "3")
    assert done.stderr == "jaxdream: going on after frame 2 of 3 in out\n"
    cli(*undamped, "-o", "whole", "--frames", "3")
    np.testing.assert_array_equal(pictures(tmp_path / "out", 3), pictures(tmp_path / "whole", 3))


def test_without_its_frames_a_film_is_dreamed_again_and_says_so(cli, photo):
    command = ["zoom", photo, "-o", "z.gif", *QUICK]
    cli(*command, "--frames", "1")
    done = cli(*command, "--frames", "2")
    assert done.stderr == (
        "jaxdream: dreaming all 2 frames: those of z.gif were not kept (--keep-frames keeps them)\n"
    )


def test_interrupted_and_gone_on_with_it_is_as_never_stopped(cli, photo, tmp_path, press_ctrl_c):
    command = ["zoom", photo, *QUICK, *MOVING, "--frames", "4"]
    press_ctrl_c(at=6)  # in the third frame
    done = cli(*command, "-o", "z.gif", code=130)
    assert done.notes == [
        "jaxdream: interrupted: writing z.gif of the 2 frames made so far",
        "jaxdream: interrupted: 2 of 4 frames are in z.gif.frames, and z.gif shows them; the same "
        "command goes on from there",
    ]
    with Image.open(tmp_path / "z.gif") as image:
        assert image.n_frames == 2
    # As if it was killed while it wrote a frame.
    frames = tmp_path / "z.gif.frames"
    (frames / ".0003.png.0123abcd").write_bytes(b"half a frame")
    done = cli(*command, "-o", "z.gif", "--keep-frames")
    assert "going on after frame 2 of 4 in z.gif.frames" in done.stderr
    assert names(frames) == KEPT | {f"{n:04d}.png" for n in range(1, 5)}
    cli(*command, "-o", "whole")
    np.testing.assert_array_equal(pictures(frames, 4), pictures(tmp_path / "whole", 4))


@pytest.mark.parametrize("output", ["z.gif", "out"])
def test_interrupted_before_the_first_frame_nothing_is_written(
    cli, photo, tmp_path, press_ctrl_c, output
):
    press_ctrl_c(at=1)
    done = cli("zoom", photo, "-o", output, *QUICK, code=130)
    assert done.stderr == "jaxdream: interrupted before the first frame: nothing written\n"
    assert names(tmp_path) == {"photo.png"}


def test_two_runs_at_once_are_not_in_one_folder(cli, photo, tmp_path):
    with locked(tmp_path / "out"):
        done = cli("zoom", photo, "-o", "out", *QUICK, code=2)
    assert done.stderr == (
        "jaxdream: another run of jaxdream is writing into out: wait for it to end, or choose "
        "another output\n"
    )
    assert names(tmp_path) == {"photo.png"}


OTHERS = {"0001.png": None, "0002.png": b"a text", "zoom.json": b"{}"}
DAMAGE = {
    "a frame cut short": ("0001.png", lambda content: content[:100]),
    "a frame of nothing": ("0002.png", lambda _: b""),
    "a state with a flipped bit": ("zoom.safetensors", lambda c: c[:-1] + bytes([c[-1] ^ 1])),
    "a state cut short": ("zoom.safetensors", lambda content: content[:-5]),
}  # fmt: skip


@pytest.fixture
def zoomed(cli, photo, tmp_path):
    cli("zoom", photo, "-o", "out", "--frames", "2", *QUICK)
    return tmp_path / "out"


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_damaged_is_made_again_and_said_once(cli, photo, zoomed, case):
    name, damage = DAMAGE[case]
    before = {path.name: path.read_bytes() for path in zoomed.iterdir()}
    (zoomed / name).write_bytes(damage(before[name]))
    said = cli("zoom", photo, "-o", "out", "--frames", "2", *QUICK).notes
    assert sum("damaged" in line and name in line for line in said) == 1
    assert {path.name: path.read_bytes() for path in zoomed.iterdir()} == before


@pytest.mark.parametrize("name", OTHERS)
def test_what_others_put_there_is_one_line_and_is_kept(cli, photo, zoomed, name):
    (zoomed / name).write_bytes(OTHERS[name] or photo.read_bytes())
    before = {path.name: path.read_bytes() for path in zoomed.iterdir()}
    (line,) = cli("zoom", photo, "-o", "out", "--frames", "3", *QUICK, code=2).notes
    assert f"out/{name} is not " in line
    assert "--overwrite" in line
    assert {path.name: path.read_bytes() for path in zoomed.iterdir()} == before


def test_without_pyav_a_film_is_refused_at_once(cli, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (line,) = cli("zoom", photo, *QUICK, code=2).notes
    assert "pip install 'jaxdream[video]'" in line


@pytest.mark.slow
def test_at_real_size_with_the_real_network(cli, shared, tmp_path):
    weights = shared / "weights" / "bvlc_googlenet.caffemodel"
    options = ["--model", "googlenet", "--weights", weights, "--size", "512"]
    options += ["--steps", "2", "--zoom", "0.05"]
    photo = shared / "photos" / "cat.jpg"
    cli("zoom", photo, "-o", "z.webp", *options, "--octaves", "1", "--frames", "2", "--keep-frames")
    first, second = pictures(tmp_path / "z.webp.frames", 2)
    assert first.shape == (341, 512, 3)
    expected = np.asarray(jd.warp(first, zoom=0.05))
    assert 1 < np.abs(second - expected).mean() < 8, "two steps of 1.5 levels"
    assert np.abs(second - first).mean() > 10


REFUSED = {
    "photo.png -o ''": "--output is empty",
    "photo.png -o out --ping-pong": "--ping-pong and --loop are for a film",
    "'' -o z.gif": "'' is not the name of a file",
    "photo.png -o out.gif --fps 60": "GIF plays 0.01 to 50 frames a second, not 60",
    "photo.png -o out --fps -1": "argument --fps: it is a number from 0.01 to 240, not -1",
    "photo.png -o out.avi": "not as '.avi' (a folder of such a name: out.avi/)",
    "photo.png -o no/z.gif": "there is no folder no",
    "photo.png -o text": "text is a file: move it away, or give another --output",
    "photo.png -o text.gif": "text.gif.frames is a file",
    "move.gif -o move.gif": "move.gif is the same file as the input move.gif",
    "photo.png --guide move.gif -o move.gif": "move.gif is the same file as the guide move.gif",
    "photo.png --objective 'guide(\"move.gif\", conv2/3x3)' -o move.gif":
        "move.gif is the same file as a file of the objective move.gif",
    "photo.png --objective 'guide(\"move.gif\", conv2/3x3)' --overwrite -o move.gif":
        "a file of the objective",
    "frames/0001.png -o frames": "frames/0001.png is the same file as the input frames/0001.png",
    "photo.png -o frames": "frames holds frames, but not the zoom.json of a zoom",
    "photo.png -o mine": "mine/zoom.json is not the zoom.json of a zoom, or is damaged: choose",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    assert REFUSED[arguments] in refused(f"zoom {arguments} --model googlenet_mini")
