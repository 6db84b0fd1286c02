"""The bundled network against its teacher, by the measures of ``scripts/compare_mini.py``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from distillation import compare, data


@pytest.fixture(scope="module")
def student():
    return jd.load_model("googlenet_mini")


def test_moments_give_the_adapter_and_the_unexplained_share():
    random = np.random.default_rng(0)
    ours = random.normal(3, 1, (4000, 5)).astype(np.float32)
    noise = random.normal(0, 0.5, (4000, 2)).astype(np.float32)
    theirs = ours[:, :2] * [2, 1] - 7 + noise * [2, 1]
    moments = compare.Moments(5, 2)
    for part in (slice(0, 1500), slice(1500, None)):
        moments.add(ours[part], theirs[part])
    expected = np.zeros((5, 2))
    expected[0, 0], expected[1, 1] = 2, 1
    np.testing.assert_allclose(moments.adapter(), expected, atol=0.05)
    assert moments.unexplained(moments.adapter()) == pytest.approx(0.2, abs=0.02)
    same = compare.Moments(5, 5)
    same.add(ours, ours)
    assert same.cka() == pytest.approx(1)


@pytest.mark.slow
def test_its_features_resemble_those_of_its_teacher(student, googlenet, shared):
    crops = data.photographs(shared, compare.SIDE, each=1)
    similarity = {
        point: moments.cka()
        for point, moments in compare.moments(student, googlenet, crops).items()
    }
    assert len(crops) > 9
    assert similarity["inception_3b/output"] > 0.85
    assert similarity["inception_4c/output"] > 0.8
    assert similarity["inception_4e/output"] > 0.7


@pytest.mark.slow
def test_its_dreams_raise_the_energy_of_its_teacher(student, googlenet, shared):
    """Dreams of textures that only the student responds to would not."""
    photo = jd.read_image(shared / "photos" / "clouds.jpg")[:224, :224]
    before = compare.energy(googlenet, photo)
    dreamed = jd.dream(jax.random.key(0), student, photo, octaves=1)
    assert compare.energy(googlenet, np.asarray(dreamed)) > 5 * before


@pytest.mark.slow
def test_it_classifies_pictures(student, shared):
    """Top-5 on some pictures of ten classes; 0.93 was measured on 500."""
    synsets = (shared / "weights" / "ilsvrc12_synset_words.txt").read_text().split("\n")
    order = [line.split(" ")[0] for line in synsets]
    correct = []
    classify = jax.jit(lambda model, x: model(x, layers=("logits",))["logits"])
    for folder in sorted((shared / "imagenet_val").iterdir()):
        for path in sorted(folder.iterdir())[:4]:
            picture = jd.resize(jd.read_image(path), (224, 224))
            logits = classify(student, student.preprocess(jnp.asarray(picture))[None])[0]
            correct.append(order.index(folder.name) in np.argsort(logits)[-5:])
    assert len(correct) == 40
    assert np.mean(correct) > 0.8
