"""What a training run keeps, and how it fails."""

import pytest
from safetensors import safe_open

from distillation import model, train

KEY = "photos inception_4c/output"


def test_only_a_better_network_replaces_the_best(spec, tmp_path, monkeypatch):
    exported = []
    monkeypatch.setattr(train, "export_student", lambda folded, *_: exported.append(folded))
    for share, name in ((0.3, "first"), (0.4, "worse"), (0.2, "better")):
        train.keep_best(spec, tmp_path, {KEY: share}, name)
    assert exported == ["first", "better"]
    assert '"photos inception_4c/output": 0.2' in (tmp_path / "best.json").read_text()


def test_nothing_to_export_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="train_mini: --export: there is no checkpoint in"):
        train.main(["--shared", "s", "--state", str(tmp_path), "--export", str(tmp_path / "out")])


def test_an_export_is_a_file_of_the_bundled_network_in_half_precision(spec, tmp_path):
    folded = model.fold(model.random_params(spec, 0)["net"], {})
    train.export_student(folded, spec.student, tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", framework="np") as file:
        assert set(file.keys()) == set(folded)
        assert file.metadata()["jaxdream_model"] == "googlenet_mini"
        assert file.get_tensor("first/kernel").dtype == "float16"
