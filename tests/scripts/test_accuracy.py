"""``scripts/accuracy.py`` as it is run, on a few pictures of each class."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "accuracy.py"


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def few(shared, tmp_path):
    """Four pictures of each of the ten classes."""
    for synset in sorted((shared / "imagenet_val").iterdir()):
        (tmp_path / synset.name).mkdir()
        for path in sorted(synset.iterdir())[:4]:
            (tmp_path / synset.name / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.slow
def test_the_real_googlenet_knows_its_classes(shared, few):
    weights = shared / "weights"
    labels = weights / "ilsvrc12_synset_words.txt"
    done = run(few, "--labels", labels, "--weights", weights / "bvlc_googlenet.caffemodel")
    assert done.returncode == 0, done.stderr
    match = re.search(r"top-1 ([\d.]+)%, top-5 ([\d.]+)% on (\d+) pictures", done.stdout)
    assert match is not None, done.stdout
    top_1, top_5, count = match.groups()
    assert int(count) == 40
    assert float(top_1) > 55
    assert float(top_5) > 80


def test_bad_folders_are_one_line(shared, tmp_path):
    labels = shared / "weights" / "ilsvrc12_synset_words.txt"
    (tmp_path / "n99999999").mkdir()
    done = run(tmp_path, "--labels", labels, "--model", "googlenet_mini")
    assert done.returncode == 1
    assert "n99999999 is not a synset" in done.stderr
    assert "Traceback" not in done.stderr
