"""The command line of ``scripts/train_mini.py``."""

from pathlib import Path

from distillation.settings import TrainSettings, parse


def test_the_defaults_are_those_of_the_settings():
    command = parse(["--shared", "a", "--state", "b"])
    assert command.settings == TrainSettings()
    assert (command.shared, command.state, command.export) == (Path("a"), Path("b"), None)


def test_the_command_of_the_readme_of_the_weights():
    line = "--shared s --state m --sides 128 96 --rate 0.003 --adam-rate 0.0005"
    command = parse([*line.split(), "--decay-from", "760", "--steps", "3500"])
    expected = TrainSettings(
        sides=(128, 96), rate=0.003, adam_rate=0.0005, decay_from=760, steps=3500
    )
    assert command.settings == expected
    assert hash(command.settings) == hash(expected)
