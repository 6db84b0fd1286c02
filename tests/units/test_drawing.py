"""A folder of every channel: resumed without doing anything twice, and nobody's file is lost."""

import jax
import numpy as np
import pytest
from own_networks import SIDE, token_network, token_params

import jaxdream as jd
from jaxdream.errors import JaxdreamError
from jaxdream.units.drawing import sheet_file
from jaxdream.units.names import unit_file

OPTIONS = {"size": 16, "steps": 2}


def run(model, folder, layers=("second",), seed=3, **options):
    return jd.visualize_units(seed, model, folder, layers, **OPTIONS, **options)


@pytest.fixture
def made(tiny, tmp_path):
    out = tmp_path / "out"
    assert [step.text for step in run(tiny, out)][-1] == "sheet 1 of second"
    return out


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_channel_has_the_picture_of_its_own_noise(tiny, made):
    count = tiny.graph.channels["second"]
    assert len(list(made.glob("second_[0-9]*.png"))) == count
    keys = jax.vmap(lambda n: jax.random.fold_in(jax.random.key(3), n))(np.arange(count))
    channels = [jd.objectives.channel("second", n) for n in range(count)]
    expected = jd.visualize(keys, tiny, channels, **OPTIONS)
    for number in range(count):
        picture = jd.read_image(made / unit_file("second", number))
        np.testing.assert_allclose(picture, expected[number], atol=0.51)
        again = jd.read_unit(made / "parameters" / unit_file("second", number, ".npz")).pixels()
        np.testing.assert_allclose(again, picture, atol=0.51)
    assert (made / sheet_file("second", 1)).is_file()


def test_the_same_call_goes_on(tiny, made):
    before = contents(made)
    assert list(run(tiny, made)) == []
    (made / unit_file("second", 1)).unlink()
    (made / "parameters" / unit_file("second", 2, ".npz")).unlink()
    (made / unit_file("second", 4)).write_bytes(b"half")  # of one of ours
    texts = [step.text for step in run(tiny, made)]
    count = tiny.graph.channels["second"]
    assert texts[0] == f"{count - 3}/{count} channels of second"
    assert contents(made) == before


def test_a_stopped_run_keeps_what_is_done(tiny, made, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 16 * 16)  # two at once
    part = tmp_path / "part"
    steps = run(tiny, part)
    for step in steps:
        if step.text.startswith("2/"):
            break
    steps.close()
    assert len(list(part.glob("second_[0-9]*.png"))) == 2
    list(run(tiny, part))
    assert {path.name for path in part.glob("*.png")} == {path.name for path in made.glob("*.png")}
    # Whatever was missing, the files are those of a run that was not stopped.
    list(run(tiny, tmp_path / "whole"))
    assert contents(part) == contents(tmp_path / "whole")
    for name in ("second_1.png", "second_2.png", "parameters/second_4.npz"):
        (part / name).unlink()
    list(run(tiny, part))
    assert contents(part) == contents(tmp_path / "whole")


def test_no_sheet_of_old_pictures_outlives_a_stop(tiny, made, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 16 * 16)
    steps = run(tiny, made, seed=4)
    next(steps)
    steps.close()
    assert not (made / sheet_file("second", 1)).exists()
    list(run(tiny, made, seed=4))
    assert (made / sheet_file("second", 1)).is_file()


def test_units_of_maco_are_made_in_its_own_batches(tiny, tmp_path, monkeypatch):
    # A step of MACO sees six crops of each picture, so fewer are made at once.
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 6 * 16 * 16)
    list(run(tiny, tmp_path, parametrization="maco"))
    for number in range(tiny.graph.channels["second"]):
        picture = jd.read_image(tmp_path / unit_file("second", number))
        unit = jd.read_unit(tmp_path / "parameters" / unit_file("second", number, ".npz"))
        assert isinstance(unit, jd.PhaseImage)
        np.testing.assert_allclose(unit.pixels(), picture, atol=0.51)


def test_a_network_of_one_size_sees_crops_of_any_picture(tmp_path):
    model = jd.wrap(token_network, variables=token_params(), size=SIDE)
    options = {"parametrization": "maco", "steps": 1}
    list(jd.visualize_units(0, model, tmp_path / "maco", "mixed", size=20, **options))
    picture = jd.read_image(tmp_path / "maco" / unit_file("mixed", 0))
    assert picture.shape == (20, 20, 3)
    list(jd.visualize_units(0, model, tmp_path / "whole", "mixed", steps=1))
    assert jd.read_image(tmp_path / "whole" / unit_file("mixed", 0)).shape == (SIDE, SIDE, 3)
    with pytest.raises(JaxdreamError, match="the network takes 12x12 only"):
        jd.visualize_units(0, model, tmp_path, "mixed", size=20)


def test_other_settings_make_all_again(tiny, made):
    before = contents(made)
    list(run(tiny, made, seed=4))
    after = contents(made)
    changed = {path.name for path in before if before[path] != after[path]}
    assert {unit_file("second", n) for n in range(tiny.graph.channels["second"])} <= changed


def test_files_of_others_stay(tiny, tmp_path):
    mine = tmp_path / unit_file("second", 0)
    jd.write_image(mine, np.zeros((4, 4, 3)))
    before = mine.read_bytes()
    with pytest.raises(JaxdreamError, match="is there already"):
        list(run(tiny, tmp_path))
    assert mine.read_bytes() == before
    list(run(tiny, tmp_path, overwrite=True))
    assert mine.read_bytes() != before


def test_bad_arguments(tiny, tmp_path):
    with pytest.raises(JaxdreamError, match="no layer 'secnd'"):
        run(tiny, tmp_path, layers=["secnd"])
    with pytest.raises(JaxdreamError, match="diversity is between"):
        run(tiny, tmp_path, diversity=1.0)
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(JaxdreamError, match="damaged, or not jaxdream's"):
        jd.read_unit(tmp_path / "no.npz")
