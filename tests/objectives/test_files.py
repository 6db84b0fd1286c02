import hashlib
import io

import numpy as np
import pytest

import jaxdream as jd
from jaxdream.objectives.files import ObjectiveFiles, find_files, read_vector
from jaxdream.objectives.text import parse_objective


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def guide_file(tmp_path, picture):
    path = tmp_path / "a guide.png"
    jd.write_image(path, picture)
    return path


def test_files_are_read_and_their_hashes_kept(tiny, guide_file, tmp_path):
    np.save(tmp_path / "v.npy", np.arange(5))
    messages = []
    files = ObjectiveFiles(12, messages.append)
    text = f'0.5*guide("{guide_file}") + direction("{tmp_path}/v.npy", second)'
    objective = parse_objective(text, tiny, files=files)
    assert repr(objective) == "0.5*guide(second) + direction(second)"
    assert files.by_name() == {
        "a guide.png": sha256(guide_file),
        "v.npy": sha256(tmp_path / "v.npy"),
    }
    assert messages == [f"{guide_file} is used at 12x10 pixels (--guide-size)"]
    assert files.picture(str(guide_file)).shape == (10, 12, 3)
    assert ObjectiveFiles().picture(str(guide_file)).shape == (24, 30, 3)


def test_two_files_of_one_name_are_refused(tmp_path):
    files = ObjectiveFiles()
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        np.save(tmp_path / str(number) / "v.npy", np.arange(number))
        files.vector(str(tmp_path / str(number) / "v.npy"))
    with pytest.raises(jd.JaxdreamError, match=r"two files are named v\.npy"):
        files.by_name()


def test_files_of_a_recipe_are_found_by_their_hashes(guide_file, tmp_path):
    wanted = {"a guide.png": sha256(guide_file)}
    other = tmp_path / "other"
    other.mkdir()
    (other / "a guide.png").write_bytes(b"another file of this name")
    assert find_files(wanted, [], [other, tmp_path]) == {"a guide.png": str(guide_file)}
    renamed = guide_file.rename(tmp_path / "renamed.png")
    assert find_files(wanted, [str(renamed)], [other]) == {"a guide.png": str(renamed)}
    with pytest.raises(jd.JaxdreamError, match=r"a guide\.png \(sha256 .* give it by --guide FILE"):
        find_files(wanted, [], [other, tmp_path])


@pytest.mark.parametrize("name", ["../a guide.png", "/a guide.png", "x/../a guide.png"])
def test_only_the_last_part_of_a_recipes_name_is_used(guide_file, tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    wanted = {name: sha256(guide_file)}
    with pytest.raises(jd.JaxdreamError, match="was not found"):
        find_files(wanted, [], [folder])
    inside = guide_file.rename(folder / "a guide.png")
    assert find_files(wanted, [], [folder]) == {name: str(inside)}


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "", ".."])
def test_a_name_that_no_file_can_have_is_not_found(tmp_path, name):
    with pytest.raises(jd.JaxdreamError, match="was not found"):
        find_files({name: "0" * 64}, [], [tmp_path])
    with pytest.raises(jd.JaxdreamError, match="no such file"):
        read_vector(name)


def with_header(header: bytes, data: bytes = bytes(40)) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def saved(values, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a .npy file"),
        (b"PK\3\4 and so on", "is not a .npy file"),
        (with_header(b"{'descr': '<f8', 'shape': (5"), "is not a .npy file"),
        (with_header(rb"{'descr': '\d'"), "is not a .npy file"),
        (
            with_header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
            "is not a .npy file",
        ),
        (saved(np.zeros(9))[:-1], "is not a .npy file"),
        (saved(np.array([{}]), allow_pickle=True), "is not a .npy file"),
        (saved(np.zeros((2, 3))), r"one number per channel, not an array of shape \(2, 3\)"),
        (saved(np.array(["a"])), "one number per channel, not .* <U1"),
        (saved(np.array([1.0, 1e300])), "beyond float32's range"),
        (saved(np.array([1.0, np.nan])), "not finite"),
        (saved(np.zeros(2_000_000, np.uint8)), "no layer has as many channels"),
    ],
)
def test_other_vector_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    with pytest.raises(jd.JaxdreamError, match=message) as error:
        read_vector(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [">f8", np.float16, np.int8, np.uint64])
def test_a_vector_is_read_as_float32(tmp_path, kind):
    np.save(tmp_path / "v.npy", np.arange(5).astype(kind))
    vector = read_vector(str(tmp_path / "v.npy"))
    np.testing.assert_array_equal(vector, np.arange(5, dtype=np.float32))
    assert vector.dtype == np.float32


def test_damaged_headers_are_refused_or_read(tmp_path):
    whole, path = saved(np.arange(5.0)), tmp_path / "v.npy"
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        content[random.integers(0, 128)] = random.integers(256)
        path.write_bytes(content)
        try:
            read_vector(str(path))
        except jd.JaxdreamError:
            refused += 1
    assert refused > 20
