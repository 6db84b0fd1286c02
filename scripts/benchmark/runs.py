"""Whole runs as a user has them: processes, from start to the written picture."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmark import pytorch
from benchmark.background import RerunIfDisturbed
from benchmark.internals import Subject, describe_layers
from benchmark.processes import run_process
from benchmark.results import FIRST, LAYOUTS, SECOND, Run


def measure_runs(
    subject: Subject,
    photo: Path,
    *,
    rounds: int,
    threads: int,
    device: str,
    dream: Mapping[str, Any],
    rerun: RerunIfDisturbed,
) -> dict[str, list[Run]]:
    """Rounds of: jaxdream's first run, its second run, PyTorch in both layouts.

    All read the same weights from a safetensors file and the same picture, and write a PNG. The
    first run of every round has an empty cache.
    """
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        subject.write_weights(weights)
        settings = {
            "layers": describe_layers(subject.graph, subject.layer),
            "preprocessing": vars(subject.preprocessing),
            "weights": str(weights),
            "threads": threads,
            "device": device,
            "dream": dict(dream),
        }
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        ours = _dream_command(subject, photo, folder / "ours.png", weights, dream)

        def jaxdream(*, fresh: bool) -> Run:
            cache = folder / "cache"
            if fresh:
                shutil.rmtree(cache, ignore_errors=True)
            return run_process(ours, environment | {"JAXDREAM_CACHE": str(cache)})

        commands = {FIRST: partial(jaxdream, fresh=True), SECOND: partial(jaxdream, fresh=False)}
        for layout in LAYOUTS:
            path = folder / f"{layout}.json"
            path.write_text(json.dumps(settings | {"layout": layout}))
            theirs = [sys.executable, "-P", pytorch.__file__, path, photo, folder / "theirs.png"]
            commands[f"PyTorch {layout}"] = partial(run_process, theirs, environment)
        for _ in range(rounds):
            for kind, command in commands.items():
                runs.setdefault(kind, []).append(rerun(command))
    return runs


def measure_large(
    subject: Subject, photo: Path, size: tuple[int, int], *, memory: str, rerun: RerunIfDisturbed
) -> tuple[Run, Run]:
    """Dreams of one octave of this height and width, of 1 step and of 4, both compiled before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        subject.write_weights(weights)
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "JAXDREAM_CACHE": str(folder / "cache")}

        def run(steps: int) -> Run:
            dream = {"octaves": 1, "steps": steps, "memory": memory, "size": f"{size[1]}x{size[0]}"}
            output = folder / "large.png"
            command = _dream_command(subject, photo, output, weights, dream)
            return run_process(command, environment)

        run(1)
        return rerun(partial(run, 1)), rerun(partial(run, 4))


def _dream_command(
    subject: Subject, photo: Path, output: Path, weights: Path, dream: Mapping[str, Any]
) -> list[str | Path]:
    command = [sys.executable, "-m", "jaxdream", "dream", photo, "-o", output]
    command += ["--model", subject.name, "--weights", weights, "--layer", subject.layer]
    for name, value in dream.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def measure_startup(rounds: int, rerun: RerunIfDisturbed) -> dict[str, list[Run]]:
    """``jaxdream --help``; to compare, Python doing nothing, importing JAX, importing torch."""
    commands = {
        "jaxdream --help": ["-m", "jaxdream", "--help"],
        "python -c pass": ["-c", "pass"],
        "import jax": ["-c", "import jax"],
        "import torch": ["-c", "import torch"],
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            command = partial(run_process, [sys.executable, *arguments], os.environ)
            runs[name].append(rerun(command))
    return runs
