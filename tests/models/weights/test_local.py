"""Weight files on this machine: any file, the bundled one, and converted downloads."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from small_hub import BUNDLED, FILE_ONLY, RECORD, small_weights, use_records

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights import local
from jaxdream.models.weights.check import write_weights
from jaxdream.models.weights.local import LocalWeights, load_file

pytestmark = pytest.mark.usefixtures("home")


def keep():
    """Converted weights of the small network."""
    write_weights(Path(local.cache_dir(), "x.safetensors"), small_weights(), model="googlenet")
    return local.write_converted(
        RECORD, load_file("googlenet", local.cache_dir() / "x.safetensors")[1]
    )


@pytest.fixture
def kept(home):
    (home / "jaxdream").mkdir()
    return keep()


def test_a_file_says_which_model_it_holds():
    path = local.bundled_path(BUNDLED.file)
    for name in ("auto", "Auto", "googlenet_mini"):
        record, found = load_file(name, path)
        assert record is BUNDLED
        assert found.arrays["conv1/7x7_s2/kernel"].shape == (7, 7, 3, 64)


def test_a_file_is_recognised_by_its_layers(home):
    save_file(small_weights(), home / "x.safetensors")
    assert load_file("auto", home / "x.safetensors")[0] is RECORD


def test_a_file_is_recognised_by_its_hash(home, monkeypatch):
    path = home / "renamed.safetensors"
    save_file(small_weights(), path)
    known = replace(FILE_ONLY, sha256=hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    use_records(monkeypatch, RECORD, known)
    assert load_file("auto", path)[0].model == "mine"


def test_a_file_that_differs_from_the_published_one(home, monkeypatch):
    path = home / "mine.safetensors"
    save_file(small_weights(), path)
    assert not local.differs_from_published(path)
    use_records(monkeypatch, replace(FILE_ONLY, sha1="00"))
    assert local.differs_from_published(path)
    published = replace(FILE_ONLY, sha1=hashlib.sha1(path.read_bytes()).hexdigest())
    use_records(monkeypatch, published)
    assert not local.differs_from_published(path)


@pytest.mark.parametrize("path", ["missing.safetensors", "."])
def test_a_path_that_is_no_weight_file_is_refused(home, path):
    with pytest.raises(JaxdreamError) as error:
        load_file("auto", home / path)
    assert str(home) in str(error.value)
    assert "\n" not in str(error.value)


def flip_a_value(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])


def test_a_flipped_bit_is_found_by_the_hash_in_the_file(home):
    path = home / "x.safetensors"
    path.write_bytes(local.bundled_path(BUNDLED.file).read_bytes())
    flip_a_value(path)
    with pytest.raises(JaxdreamError, match=r"x\.safetensors is damaged: the hash in it"):
        load_file("auto", path)


def test_a_conversion_is_found_and_read(kept):
    assert kept.path == local.converted_path(RECORD) == local.find(RECORD)
    assert local.status(RECORD) == "cached"
    again = local.read_converted(RECORD)
    assert isinstance(again, LocalWeights)
    assert again.sha256 == kept.sha256
    for name, array in small_weights().items():
        np.testing.assert_array_equal(again.arrays[name], array)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("kind", ["short", "flipped", "other values", "note"])
def test_a_damaged_conversion_is_not_used(kind):
    path = local.converted_path(RECORD)
    if kind == "short":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "flipped":
        flip_a_value(path)
    elif kind == "other values":  # whole in itself, but not that of the note
        others = {name: 2 * array for name, array in small_weights().items()}
        write_weights(path, others, model="googlenet")
    else:
        path.with_suffix(".json").write_text("[" * 100_000)
    assert local.read_converted(RECORD) is None


@pytest.mark.usefixtures("kept")
def test_a_conversion_of_another_file_is_not_used():
    note = local.converted_path(RECORD).with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"source": "zoo/older"}))
    assert local.find(RECORD) is None
    assert local.read_converted(RECORD) is None
    assert local.status(RECORD) == "downloadable"


def test_status_of_records_without_a_conversion():
    assert local.status(BUNDLED) == "bundled"
    assert local.status(RECORD) == "downloadable"
    assert local.status(FILE_ONLY) == "file only"


def test_converted_files_name_their_model(kept):
    with safe_open(kept.path, framework="np") as file:
        assert file.metadata()["jaxdream_model"] == "googlenet"


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.delenv("JAXDREAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert local.cache_dir() == Path("/somewhere/jaxdream")
    monkeypatch.setenv("JAXDREAM_CACHE", "/elsewhere")
    assert local.cache_dir() == Path("/elsewhere")
