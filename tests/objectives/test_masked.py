"""Objectives of a part of the picture."""

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.models.regions import full_region
from jaxdream.objectives import channel, direction, guide, l1, layer, logit, mask, strongest
from jaxdream.objectives.activations import activations_of, average_mask
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import parse_objective

SIZE = 24, 30  # of ``picture``


@pytest.fixture
def shares():
    return np.random.default_rng(7).uniform(0, 1, (9, 13)).astype(np.float32)


@pytest.fixture
def half():
    """The upper half of a picture."""
    half = np.zeros((10, 10), np.float32)
    half[:5] = 1
    return half


def test_every_position_counts_as_much_as_the_mask_in_its_area(tiny, picture, shares):
    # ``first`` has a position for each pixel, ``second`` one for each two.
    for name, stride in (("first", 1), ("second", 2)):
        rows, columns = (side // stride for side in SIZE)
        fine = np.kron(shares, np.ones((SIZE[0] * stride, SIZE[1] * stride)))  # all edges fit
        blocks = fine.reshape(rows, fine.shape[0] // rows, columns, -1)
        expected = blocks.mean(axis=(1, 3))
        activations = activations_of(tiny, picture, (name,))
        plain = average_mask(activations, name, shares)
        np.testing.assert_allclose(plain[:rows, :columns], expected, atol=1e-5)
        value = (mask(shares) * l1(name)).value(tiny, picture)
        by_hand = (np.abs(activations[name]).sum(-1)[:rows, :columns] * expected).sum()
        np.testing.assert_allclose(value, by_hand, rtol=1e-4)


@pytest.mark.parametrize("name", ["first", "second"])
def test_in_a_padded_array_it_is_the_same(tiny, picture, shares, name):
    objective = mask(shares) * layer(name)
    padded = np.zeros((32, 48, 3), np.float32)
    padded[:24, :30] = picture
    region = full_region(np.array(SIZE, np.int32))
    offset = np.array([5, -3], np.int32)
    np.testing.assert_allclose(
        objective.value(tiny, padded, region=region, offset=offset),
        objective.value(tiny, picture, offset=offset), rtol=1e-4,
    )  # fmt: skip


def test_it_goes_with_the_picture_under_jitter(tiny, picture, shares):
    offset = np.array([4, -7], np.int32)
    rolled = jd.roll(picture, offset)
    activations = np.abs(activations_of(tiny, rolled, ("first",))["first"]).sum(-1)
    still = average_mask(activations_of(tiny, picture, ("first",)), "first", shares)
    by_hand = (activations * np.roll(still, (-7, 4), (0, 1))).sum()
    value = (mask(shares) * l1("first")).value(tiny, rolled, offset=offset)
    np.testing.assert_allclose(value, by_hand, rtol=1e-4)


def test_a_dream_of_a_part_leaves_the_rest_alone(tiny, picture, half):
    options = {"steps": 2, "octaves": 1, "jitter": 5}
    out = np.asarray(jd.dream(0, tiny, picture, mask(half) * layer("second"), **options))
    # What a position sees reaches some pixels beyond the edge.
    assert (out[18:-6] == picture[18:-6]).all()
    assert np.abs(out[:12] - picture[:12]).mean() > 1


def test_tiles_add_up(tiny, shares, monkeypatch):
    image = np.random.default_rng(0).uniform(0, 255, (70, 80, 3)).astype(np.float32)
    objective = mask(shares) * layer("second") + mask(1 - shares) * layer("first")
    options = {"steps": 2, "octaves": 1, "jitter": 5}
    whole = jd.dream(0, tiny, image, objective, **options)
    monkeypatch.setattr("jaxdream.execution.planner.fits", lambda *_: False)
    monkeypatch.setattr("jaxdream.execution.planner.bytes_per_pixel", lambda _: 1e5)
    tiled = jd.dream(0, tiny, image, objective, memory=10**12, **options)
    np.testing.assert_allclose(tiled, whole, atol=0.05)


def test_all_sums_over_positions_can_be_masked(tiny, picture, half):
    ones = np.ones((3, 5), np.float32)
    for objective in (
        layer("second"), channel("second", 1), direction("second", np.arange(5.0)), l1("first"),
        guide(tiny, picture, "second"), strongest("second", 2), layer("first") - 0.5 * l1("second"),
    ):  # fmt: skip
        whole = objective.value(tiny, picture)
        np.testing.assert_allclose((mask(ones) * objective).value(tiny, picture), whole, rtol=1e-3)
        parts = 2 * mask(half) * objective + objective * mask(1 - half) * 2
        np.testing.assert_allclose(parts.value(tiny, picture), 2 * whole, rtol=1e-3)


def test_masks_in_a_text(tiny, picture, half, tmp_path):
    jd.write_image(tmp_path / "top.png", np.repeat(255.0 * half[..., None], 3, axis=-1))
    files = ObjectiveFiles()
    name = f'"{tmp_path / "top.png"}"'
    text = f"0.5*mask({name})*second + mask({name}, inverted)*(first - 2*l1(second))"
    objective = parse_objective(text, tiny, files=files)
    by_hand = 0.5 * mask(half) * layer("second") + mask(1 - half) * (
        layer("first") - 2 * l1("second")
    )
    assert jax.tree.structure(objective) == jax.tree.structure(by_hand)
    np.testing.assert_allclose(
        objective.value(tiny, picture), by_hand.value(tiny, picture), rtol=1e-5
    )
    assert files.by_name().keys() == {"top.png"}
    assert repr(objective) == "0.5*mask()*second + mask()*first - 2*mask()*l1(second)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mask({f})", "only a mask: multiply it"),
        ("mask({f}) + second", "multiplied by what is dreamed there, not added"),
        ("mask({f})*mask({f})*second", "a mask cannot be multiplied by a mask"),
        ("mask({f})*neuron(second, 1)", "is not a sum over positions"),
        ("mask({f})*(first*second)", "is not a sum over positions"),
        ("mask({f}, upside)*second", "expected inverted"),
        ("mask(second)*second", "expected a file's name in quotes"),
        ('mask("none.png")*second', "no such file"),
    ],
)
def test_what_cannot_be_masked_is_said(tiny, tmp_path, text, line):
    jd.write_image(tmp_path / "white.png", np.full((4, 4, 3), 255.0))
    with pytest.raises(jd.JaxdreamError, match=line):
        parse_objective(text.replace("{f}", f'"{tmp_path / "white.png"}"'), tiny)


def test_an_array_that_is_no_mask_is_refused(googlenet):
    for shares in (np.ones((2, 3, 3)), np.full((2, 2), 3.0), np.full((2, 2), np.nan)):
        with pytest.raises(jd.JaxdreamError, match="a mask has"):
            mask(shares)
    with pytest.raises(jd.JaxdreamError, match="has no positions that a mask could choose"):
        (mask(np.ones((2, 2))) * l1("logits")).check(googlenet.graph)
    with pytest.raises(jd.JaxdreamError, match="is not a sum over positions"):
        mask(np.ones((2, 2))) * logit(3)
