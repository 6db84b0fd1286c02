"""The log of a run has every step, in compiled loops too, and never costs what a file had."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import photograph

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.execution.choosing import layer_energies

ONE = {"octaves": 2, "steps": 3}


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


@pytest.fixture
def image():
    return photograph(40, 48)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def test_a_compiled_loop_has_the_steps_that_single_calls_have(tiny, image):
    each, looped = (
        [r for s in jd.iterate_dream(0, tiny, image, scan=scan, **ONE) for r in jd.step_records(s)]
        for scan in (False, True)
    )
    places = [(r["picture"], r["octave"], r["step"]) for r in each]
    assert places == [(0, octave, step) for octave in (1, 2) for step in (1, 2, 3)]
    assert places == [(r["picture"], r["octave"], r["step"]) for r in looped]
    for name in ("value", "gradient"):
        single, scanned = ([r[name] for r in records] for records in (each, looped))
        np.testing.assert_allclose(scanned, single, rtol=1e-3)
        assert len(set(single)) == 6


def test_values_are_those_of_the_pictures_before_the_steps(tiny, image):
    records = []
    offsets = np.zeros((2, 2), np.int32)
    jd.dream(
        None, tiny, image, "second", octaves=1, steps=2, offsets=offsets,
        callback=lambda state: records.extend(jd.step_records(state)),
    )  # fmt: skip
    value = jd.parse_objective("second", tiny).value(tiny, image)
    assert records[0]["value"] == pytest.approx(float(value), rel=1e-4)
    assert records[1]["value"] > records[0]["value"]


def test_a_batch_has_a_line_for_each_picture(tiny, image, path):
    with jd.RunLog(path, run={"name": "two"}) as log:
        jd.dream(0, tiny, np.stack([image, image[::-1]]), callback=log, **ONE)
    first, *rest = lines(path)
    assert first == {"run": {"name": "two"}}
    assert [r["picture"] for r in rest] == [0, 1] * 6
    assert not any("energy" in r for r in rest)


def test_energies_are_those_of_the_dream(tiny, image, path):
    with jd.RunLog(path, model=tiny, layers=["first", "second"]) as log:
        dreamed = jd.dream(0, tiny, image, callback=log, **ONE)
    energies = [r["energy"] for r in lines(path)[1:] if "energy" in r]
    assert len(energies) == 2  # of each octave
    found = tiny(tiny.preprocess(dreamed[None]), layers=("first", "second"))
    for layer in ("first", "second"):
        mean = float(np.mean(np.asarray(found[layer]) ** 2))
        assert energies[-1][layer] == pytest.approx(mean, rel=1e-3)
        alone = layer_energies(tiny, np.asarray(dreamed), [layer])
        assert energies[-1][layer] == pytest.approx(float(alone[layer]), rel=1e-5)


def test_visualisations_have_the_numbers_of_their_pictures(tiny, path):
    with jd.RunLog(path, model=tiny) as log:
        jd.visualize(0, tiny, ["first:1", "second:0"], size=16, steps=2, callback=log)
    records = lines(path)[1:]
    assert [(r["picture"], r["step"]) for r in records] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert ["energy" in r for r in records] == [False, True, False, True]


def test_a_run_is_added_to_those_before(tiny, image, path):
    for _ in range(2):
        with jd.RunLog(path) as log:
            jd.dream(0, tiny, image, callback=log, octaves=1, steps=1)
    assert ["run" in line for line in lines(path)] == [True, False, True, False]


def test_a_number_that_is_not_finite_is_null(tiny, image, path):
    state = next(jd.iterate_dream(0, tiny, image, octaves=1, steps=1))
    value = np.full((1, 1), np.nan, np.float32)
    with jd.RunLog(path) as log:
        log(replace(state, trajectory=state.trajectory._replace(value=value)))
    assert lines(path)[1]["value"] is None
    assert lines(path)[1]["gradient"] > 0


@pytest.mark.parametrize("content", [b"\x89PNG...", b"notes\n", b'{"journal":1}\n'])
def test_another_file_stays_as_it_is(path, content):
    path.write_bytes(content)
    with pytest.raises(JaxdreamError, match="no log of an earlier run"):
        jd.RunLog(path)
    assert path.read_bytes() == content


def test_layers_are_of_a_network(tiny, path):
    with pytest.raises(jd.JaxdreamError, match="energies of layers need a network: give model"):
        jd.RunLog(path, layers=["second"])
    assert not path.exists()
    with jd.RunLog(path, model=tiny, layers="second") as log:
        assert log._layers == ("second",)


def test_what_cannot_be_written_or_logged_is_said(tiny, tmp_path):
    with pytest.raises(JaxdreamError, match="cannot write"):
        jd.RunLog(tmp_path / "none" / "run.jsonl")
    with pytest.raises(JaxdreamError, match="no layer 'secnd'"):
        jd.RunLog(tmp_path / "run.jsonl", model=tiny, layers=["secnd"])
    assert not (tmp_path / "run.jsonl").exists()
