"""Runs command lines of an installed jaxdream in forks of one process, which imports it once."""

import json
import os
import subprocess
from pathlib import Path

from attack.case import Case, Outcome

_SERVER = Path(__file__).with_name("fork_server.py")


class Program:
    """A jaxdream to be attacked; use it in a ``with`` block."""

    def __init__(self, python: str, environment: dict[str, str]) -> None:
        """
        Args:
            python: the interpreter that it is installed for.
        """
        self.python, self.environment = python, os.environ | environment
        self._server = subprocess.Popen(
            [python, "-W", "ignore", "-P", str(_SERVER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip
        assert self._server.stdout is not None
        if self._server.stdout.readline() != "ready\n":
            raise RuntimeError(f"no jaxdream can be started by {python}")

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.communicate()

    def run(self, case: Case, folder: Path) -> Outcome:
        """Run a command line in a folder, to its end or for the time it may take."""
        outputs = [folder.parent / name for name in ("stdout", "stderr")]
        order = {
            "arguments": case.arguments,
            "folder": str(folder),
            "environment": case.environment,
            "seconds": case.seconds,
            "stdout": str(outputs[0]),
            "stderr": str(outputs[1]),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        found = json.loads(self._server.stdout.readline())
        texts = [path.read_bytes() for path in outputs]
        for path in outputs:
            path.unlink()
        return Outcome(found["code"], *texts, found["seconds"], found["memory"])
