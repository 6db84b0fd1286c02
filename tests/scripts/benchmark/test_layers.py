"""Layers, each timed alone."""

import pytest

pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")

from benchmark import layers
from benchmark.background import RerunIfDisturbed
from benchmark.internals import Subject, random_weights


def test_layer_by_layer(tiny):
    weights = random_weights(tiny.graph)
    subject = Subject("tiny", tiny.graph, tiny.preprocessing, "second", weights, "random")
    times = layers.measure_layers(
        subject, (24, 30), rounds=2, device="cpu", rerun=RerunIfDisturbed(0)
    )
    assert [item.name for item in times] == ["relu", "pool", "second"]
    assert times[0].flops == 155520
    for item in times:
        for measured in (*item.forward.values(), *item.gradient.values()):
            assert len(measured.values) == 2
            assert min(measured.values) > 0
