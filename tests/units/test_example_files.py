"""Examples of a folder: the same files whether a run was stopped or not."""

import shutil

import numpy as np
import pytest

import jaxdream as jd
from jaxdream.errors import JaxdreamError
from jaxdream.folder.inputs import find_inputs

OPTIONS = {"size": "16", "batch": 3, "top": 4}
LAYERS = ["second", "relu"]


def run(model, folder, out, **options):
    return jd.examples_of_files(model, [folder], out, LAYERS, **OPTIONS, **options)


@pytest.fixture(scope="module")
def made(tiny, folder, tmp_path_factory):
    """The results, and the steps that were told."""
    out = tmp_path_factory.mktemp("made") / "out"
    steps = list(run(tiny, folder, out, visualize=jd.VisualizeSettings(steps=2), channels=[0, 3]))
    return out, steps


def test_the_file_has_the_examples_and_all_statistics(tiny, folder, made):
    out, steps = made
    inputs = find_inputs([folder])
    pictures = [jd.read_image(one.path) for one in inputs if one.path.name != "broken.png"]
    expected = jd.find_examples(tiny, pictures, LAYERS, **OPTIONS)
    found = jd.read_examples(out)
    numbers = [i for i, one in enumerate(inputs) if one.path.name != "broken.png"]
    for layer in LAYERS:
        one, other = found.layers[layer].statistics, expected[layer].statistics
        np.testing.assert_array_equal(one.top_pictures, np.array(numbers)[other.top_pictures])
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=1e-2)
        np.testing.assert_array_equal(found.layers[layer].boxes, expected[layer].boxes)
        for number in one.top_pictures.ravel().tolist():
            assert found.names[number] == inputs[number].relative_path
    arrays = np.load(out / "examples.npz")
    names = ("quantiles", "covariance", "deviation", "zero_share", "boxes", "top_values")
    shapes = {name: arrays[f"second/{name}"].shape for name in names}
    assert shapes == {
        "quantiles": (5, 10), "covariance": (5, 5), "deviation": (5,), "zero_share": (5,),
        "boxes": (5, 4, 4), "top_values": (5, 4),
    }  # fmt: skip
    about = found.about
    assert (about.pictures, about.read, about.failed) == (11, 11, 1)
    assert (about.network, about.weights_sha256, about.size) == ("tiny", "no file", (16, 16))
    (failed,) = [one for step in steps for one in step.failed]
    assert failed.name == "broken.png"
    assert about.failures == [("broken.png", failed.reason)]


def test_units_have_sheets_visualisations_and_pages(made, contents):
    out, _ = made
    names = {f"{layer}_{channel}" for layer in LAYERS for channel in (0, 3)}
    expected = {"examples.npz", "index.html"}
    for name in names:
        expected |= {f"units/{name}.png", f"units/{name}.html", f"visualizations/{name}.png"}
    assert set(contents(out)) == expected
    page = (out / "units" / "relu_3.html").read_text()
    statistics = jd.read_examples(out).layers["relu"].statistics
    for wanted in ('src="relu_3.png"', 'src="../visualizations/relu_3.png"',
                   f"{statistics.top_values[3, 0]:.5g}", 'href="relu_0.html"'):  # fmt: skip
        assert wanted in page
    index = (out / "index.html").read_text()
    assert all(f'href="units/{name}.html"' in index for name in names)
    for text in (page, index):
        assert "://" not in text
        assert text.count("<img") == text.count(' alt="')


def test_the_same_call_again_changes_nothing(tiny, folder, made, contents):
    out, _ = made
    before = contents(out)
    more = list(run(tiny, folder, out, visualize=jd.VisualizeSettings(steps=2), channels=[0, 3]))
    assert [step.text for step in more] == ["4/4 pages"]
    assert contents(out) == before


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_run_ends_with_the_same_files(tiny, folder, made, contents, tmp_path, stop):
    out, steps = made
    options = {"visualize": jd.VisualizeSettings(steps=2), "channels": [0, 3]}
    running = run(tiny, folder, tmp_path, **options)
    begun = [next(running) for _ in range(stop)]
    running.close()
    assert (tmp_path / "unfinished.npz").exists() == (stop < 5)
    later = list(run(tiny, folder, tmp_path, **options))
    assert [step.text for step in begun + later if "pictures" in step.text] == [
        step.text for step in steps if "pictures" in step.text
    ]
    assert contents(tmp_path) == contents(out)


@pytest.mark.parametrize(("stop", "begun"), [(1, 3), (3, 2)])  # one of the third batch is broken
def test_it_may_be_stopped_within_a_part(
    tiny, folder, contents, tmp_path, monkeypatch, stop, begun
):
    monkeypatch.setattr("jaxdream.units.example_parts._PARTS", 1)
    monkeypatch.setattr("jaxdream.units.example_parts._MOST", 6)  # two batches
    list(run(tiny, folder, tmp_path / "whole", channels=[0]))
    running = run(tiny, folder, tmp_path / "out", channels=[0])
    for _ in range(stop):
        next(running)
    running.close()
    with np.load(tmp_path / "out" / "unfinished.npz") as kept:
        assert kept["begun:second/pictures"] == begun
        assert kept["second/pictures"] == 6 * (stop // 2)
    list(run(tiny, folder, tmp_path / "out", channels=[0]))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_changed_folder_or_setting_is_not_mixed_in(tiny, folder, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made[0], out)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "1.png").unlink()
    with pytest.raises(JaxdreamError, match="--overwrite"):
        list(run(tiny, other, out))
    with pytest.raises(JaxdreamError, match="other settings"):
        list(jd.examples_of_files(tiny, [folder], out, LAYERS, **OPTIONS | {"top": 5}))
    list(run(tiny, other, out, overwrite=True, channels=[1]))
    assert jd.read_examples(out).about.pictures == 10
    assert not (out / "visualizations").exists()


def test_what_others_put_into_the_folder_stays(tiny, folder, tmp_path):
    for name in ("units/mine.txt", "visualizations/drawn.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    for _ in range(2):
        list(run(tiny, folder, tmp_path, overwrite=True, channels=[1]))
    assert (tmp_path / "units" / "mine.txt").read_bytes() == b"mine"
    assert (tmp_path / "visualizations" / "drawn.png").read_bytes() == b"mine"
    (tmp_path / "units" / "second_1.png").write_bytes(b"mine")
    with pytest.raises(JaxdreamError, match="not known to be made by jaxdream"):
        list(run(tiny, folder, tmp_path, overwrite=True, channels=[1]))


def test_a_foreign_folder_is_left_alone(tiny, folder, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(JaxdreamError, match="not known to be made by jaxdream"):
        list(run(tiny, folder, tmp_path))
    assert (tmp_path / "index.html").read_text() == "mine"
    (tmp_path / "index.html").unlink()
    (tmp_path / "examples.npz").write_bytes(b"damaged")
    with pytest.raises(JaxdreamError, match="damaged"):
        list(run(tiny, folder, tmp_path))


def test_visualisations_of_an_earlier_command_are_shown(tiny, folder, tmp_path):
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    drawn = np.full((16, 16, 3), 77.0, np.float32)
    jd.write_image(earlier / "alias_3.png", drawn)
    list(run(tiny, folder, tmp_path / "out", visualizations=earlier, channels=[3]))
    shown = jd.read_image(tmp_path / "out" / "visualizations" / "second_3.png")
    np.testing.assert_array_equal(shown, drawn)
    with pytest.raises(JaxdreamError, match="no visualisation of these units"):
        list(run(tiny, folder, tmp_path / "out", visualizations=earlier, channels=[1]))


def test_what_is_wrong_is_told_at_once(tiny, folder, tmp_path):
    with pytest.raises(JaxdreamError, match="channels 0 to 3"):
        run(tiny, folder, tmp_path / "out", channels=[4])
    with pytest.raises(JaxdreamError, match="no pictures"):
        jd.examples_of_files(tiny, [tmp_path], tmp_path / "out", LAYERS)
    with pytest.raises(JaxdreamError, match="has the pictures"):
        run(tiny, folder, folder)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_readable_picture(tiny, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    with pytest.raises(JaxdreamError, match="no pictures to find examples in"):
        list(run(tiny, tmp_path / "in", tmp_path / "out"))


@pytest.mark.parametrize(("setting", "line"), [("keep", "keep is of"), ("diversity", "diversity")])
def test_settings_that_are_not_of_units_are_refused_at_once(tiny, folder, tmp_path, setting, line):
    value = "first" if setting == "keep" else 1.0
    visualize = jd.VisualizeSettings().replace(**{setting: value})
    with pytest.raises(JaxdreamError, match=line):
        run(tiny, folder, tmp_path / "out", visualize=visualize)
    with pytest.raises(JaxdreamError, match=line):
        jd.atlas_of_files(tiny, [folder], tmp_path / "atlas", "second", visualize=visualize)
