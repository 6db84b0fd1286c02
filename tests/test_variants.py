"""One picture in several ways, of which those that share a program are one batch."""

import numpy as np
import pytest
from helpers import compilations

import jaxdream as jd
from jaxdream import DreamSettings, JaxdreamError, Variant
from jaxdream.variants import _groups

QUICK = DreamSettings(steps=2, octaves=2, jitter=3)


def alone(model, picture, variant):
    return jd.dream(
        variant.key, model, picture, variant.objective, settings=variant.settings
    )  # fmt: skip


def test_each_is_the_dream_of_that_variant_alone(tiny, picture):
    variants = [
        Variant("second:1", QUICK.replace(step_size=0.5), 3),
        Variant("second:1", QUICK.replace(step_size=4.0), 3),
        Variant("second:4", QUICK, 8),
        Variant("2*second:1 + first", QUICK),
        Variant("2*second:1 + 0.1*first", QUICK),
        Variant(None, QUICK.replace(octaves=1)),
        Variant("strongest(second, 2)", QUICK),
        Variant("strongest(second, 3)", QUICK),
        Variant("second:1", QUICK.replace(smooth=1.0, keep_colours=True)),
        Variant("second:1", QUICK.replace(seamless="both")),
    ]
    dreams = jd.dream_variants(tiny, picture, variants)
    for variant, dream in zip(variants, dreams, strict=True):
        np.testing.assert_allclose(dream, alone(tiny, picture, variant), atol=0.02)


def test_what_differs_in_numbers_only_is_one_batch(tiny):
    variants = [
        Variant(f"second:{channel}", QUICK.replace(step_size=size, jitter=channel), channel)
        for channel in (1, 2) for size in (1.0, 2.0)
    ]  # fmt: skip
    objectives = [jd.parse_objective(v.objective, tiny) for v in variants]
    assert _groups(variants, objectives) == [[0, 1, 2, 3]]
    steps = Variant("second:1", QUICK.replace(steps=3))
    plain = Variant("second", QUICK)
    more = [*variants, steps, plain]
    objectives = [jd.parse_objective(v.objective, tiny) for v in more]
    assert _groups(more, objectives) == [[0, 1, 2, 3], [4], [5]]


def test_its_states_and_its_programs(tiny):
    image = np.random.default_rng(3).uniform(0, 255, (25, 35, 3)).astype(np.float32)
    sizes = [Variant("second", QUICK.replace(step_size=size)) for size in (0.5, 1.0, 2.0)]
    with compilations() as names:
        states = list(jd.iterate_variants(tiny, image, sizes, scan=False))
    assert len([name for name in names if "_run_steps" in name]) == 2, "one for each octave"
    assert [state.indices for state in states] == [(0, 1, 2)] * 4
    assert [state.done for state in states] == sorted(state.done for state in states)
    assert states[-1].done == 1
    with compilations() as names:
        others = [v._replace(key=9, settings=v.settings.replace(step_size=7.0)) for v in sizes]
        others[0] = sizes[0]
        jd.dream_variants(tiny, image, others)
    assert not [name for name in names if "_run_steps" in name]


@pytest.mark.parametrize(
    ("variant", "options", "says"),
    [
        (Variant("thrid"), {}, "no layer 'thrid'"),
        (Variant("second"), {"shard": "rows"}, "leave out shard"),
        (Variant("second", QUICK.replace(seamless="sphere")), {}, "twice as wide"),
    ],
)
def test_bad_variants_are_refused_at_once(tiny, picture, variant, options, says):
    with pytest.raises(JaxdreamError, match=says):
        jd.iterate_variants(tiny, picture, [Variant("first", QUICK), variant], **options)


def test_no_variants_are_no_dreams(tiny, picture):
    assert jd.dream_variants(tiny, picture, []) == []
