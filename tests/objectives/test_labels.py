import pytest

import jaxdream as jd
from jaxdream.objectives.labels import (
    find_classes,
    imagenet_classes,
    places365_classes,
    resolve_class,
)


def test_are_the_classes_in_the_networks_order(shared):
    lines = (shared / "weights" / "ilsvrc12_synset_words.txt").read_text("utf-8").splitlines()
    ours = [f"{c.synset} {', '.join(c.names)}" for c in imagenet_classes()]
    assert ours == lines


def test_all_classes():
    classes = imagenet_classes()
    assert [c.index for c in classes] == list(range(1000))
    assert len({c.synset for c in classes}) == 1000
    assert str(classes[954]) == "banana (954)"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("banana", 954),
        ("Dumbbell", 543),
        (" 12 ", 12),
        ("n02134084", 296),
        ("N02134084", 296),
        ("polar_bear", 296),
        ("Thalarctos  Maritimus", 296),
        ("man-eater", 2),
        ("man eater", 2),
        ("tank suit", 639),
        ("maillot, tank suit", 639),
        ("jack-o'-lantern", 607),
    ],
)
def test_a_class_by_any_of_its_names(text, index):
    assert resolve_class(text).index == index


@pytest.mark.parametrize("c", imagenet_classes()[::37], ids=str)
def test_a_class_by_its_synset_its_index_and_all_its_names(c):
    assert resolve_class(c.synset) == resolve_class(str(c.index)) == c
    if len(c.names) > 1:
        assert resolve_class(", ".join(c.names)) == c


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crane", "2 classes are called 'crane': give an index of 134 (crane), 517 (crane)"),
        ("maillot", "638 (maillot), 639 (maillot, tank suit)"),
        ("bananna", "no class 'bananna': the nearest are banana (954)"),
        ("dumbell", "the nearest are dumbbell (543)"),
        ("dog", "14 classes have it in a name, such as Maltese dog (153), Greater Swiss Mountain"),
        ("dog", "(`jaxdream classes dog` lists them)"),
        ("bobtai", "1 class has it in a name, bobtail (229)"),
        ("x" * 9999, "xxx...': give a name, WordNet id or index"),
        ("1000", "the classes are 0 to 999"),
        ("-1", "the classes are 0 to 999"),
        ("n99999999", "no class 'n99999999'"),
        ("", "no class ''"),
        ("ba\nna", r"no class 'ba\nna'"),
    ],
)
def test_texts_that_mean_no_class_or_several(text, says):
    with pytest.raises(jd.JaxdreamError) as error:
        resolve_class(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_classes_with_a_word_in_their_names():
    assert [c.index for c in find_classes("Polar_Bear")] == [296]
    dogs = find_classes("dog")
    assert all("dog" in " ".join(c.names).lower() for c in dogs)
    usual = ["dog" in c.names[0].split() for c in dogs]
    assert usual == sorted(usual, reverse=True)
    assert {c.names[0] for c in dogs} >= {"Eskimo dog", "dalmatian"}
    assert "French bulldog" not in {c.names[0] for c in dogs}
    assert "banana" in {c.names[0] for c in find_classes("bana")}
    assert find_classes("") == find_classes(" - ") == find_classes("xyzzy") == ()


def test_places_by_their_names():
    classes = places365_classes()
    assert [c.index for c in classes] == list(range(365))
    for text, index in (("pagoda", 251), ("Library_indoor", 212), ("temple/asia", 330)):
        assert resolve_class(text, classes=classes).index == index
    assert [c.names[0] for c in find_classes("garden", classes=classes)][:2] == [
        "beer garden", "botanical garden",
    ]  # fmt: skip
    with pytest.raises(jd.JaxdreamError, match="no class 'pagodas': the nearest is pagoda"):
        resolve_class("pagodas", classes=classes)
    with pytest.raises(jd.JaxdreamError, match="the classes are 0 to 364"):
        resolve_class("365", classes=classes)
