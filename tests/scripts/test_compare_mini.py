"""The network that comes along, against its teacher, by ``scripts/compare_mini.py``'s measures."""

import compare_mini
import jax
import jax.numpy as jnp
import mini_data
import numpy as np
import pytest

import jaxdream as jd


@pytest.fixture(scope="module")
def student():
    return jd.load_model("googlenet_mini")


def test_moments_give_the_adapter_and_what_it_leaves():
    random = np.random.default_rng(0)
    ours = random.normal(3, 1, (4000, 5)).astype(np.float32)
    noise = random.normal(0, 0.5, (4000, 2)).astype(np.float32)
    theirs = ours[:, :2] * [2, 1] - 7 + noise * [2, 1]
    moments = compare_mini.Moments(5, 2)
    for part in (slice(0, 1500), slice(1500, None)):
        moments.add(ours[part], theirs[part])
    expected = np.zeros((5, 2))
    expected[0, 0], expected[1, 1] = 2, 1
    np.testing.assert_allclose(moments.adapter(), expected, atol=0.05)
    assert moments.unexplained(moments.adapter()) == pytest.approx(0.2, abs=0.02)
    same = compare_mini.Moments(5, 5)
    same.add(ours, ours)
    assert same.cka() == pytest.approx(1)


def test_it_sees_what_its_teacher_sees(student, googlenet, shared):
    crops = mini_data.photographs(shared, compare_mini.SIDE, each=1)
    likeness = {
        point: moments.cka()
        for point, moments in compare_mini.moments(student, googlenet, crops).items()
    }
    assert len(crops) > 9
    assert likeness["inception_3b/output"] > 0.85
    assert likeness["inception_4c/output"] > 0.8
    assert likeness["inception_4e/output"] > 0.7


def test_its_dreams_excite_its_teacher(student, googlenet, shared):
    """Dreams of textures that only the student likes would not."""
    photo = jd.read_image(shared / "photos" / "clouds.jpg")[:224, :224]
    before = compare_mini._energy(googlenet, photo)
    dreamed = jd.dream(jax.random.key(0), student, photo, octaves=1)
    assert compare_mini._energy(googlenet, np.asarray(dreamed)) > 5 * before


def test_it_names_things(student, shared):
    """More than half of some pictures of ten classes, by the class or the four next to it."""
    synsets = (shared / "weights" / "ilsvrc12_synset_words.txt").read_text().split("\n")
    order = [line.split(" ")[0] for line in synsets]
    named = []
    look = jax.jit(lambda model, x: model(x, layers=("logits",))["logits"])
    for folder in sorted((shared / "imagenet_val").iterdir()):
        for path in sorted(folder.iterdir())[:4]:
            picture = jd.resize(jd.read_image(path), (224, 224))
            logits = look(student, student.preprocess(jnp.asarray(picture))[None])[0]
            named.append(order.index(folder.name) in np.argsort(logits)[-5:])
    assert len(named) == 40
    assert np.mean(named) > 0.85
