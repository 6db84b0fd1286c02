"""The log of a run: what is known of every step, as lines of JSON that any program can read."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.execution.choosing import layer_energies
from jaxdream.files.reading import PathLike, open_regular, printable, reason
from jaxdream.models.network import Network
from jaxdream.visualization.visualize import VisualizeState

_State = DreamState | VisualizeState
_BEGIN = b'{"run":'
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


def step_records(state: _State) -> list[dict[str, Any]]:
    """What is known of every step since the last state, for each of its pictures.

    The steps of a compiled loop (``scan``) are all there.

    Returns:
        Of each step and picture in turn: ``picture`` (its number from 0), in a dream ``octave`` (1
        is the smallest), ``step`` (from 1), and from before the step the objective's ``value`` and
        the ``gradient``'s mean absolute value over pixels and channels; None if not finite.
    """
    values, gradients = map(np.asarray, state.trajectory)  # for which the device is waited for
    count, pictures = values.shape
    if isinstance(state, VisualizeState):
        numbers, where = state.indices, {}
    else:
        numbers, where = range(pictures), {"octave": state.octave + 1}
    return [
        {
            "picture": int(numbers[i]),
            **where,
            "step": state.step - count + k + 1,
            "value": _number(values[k, i]),
            "gradient": _number(gradients[k, i]),
        }
        for k in range(count)
        for i in range(pictures)
    ]


class RunLog:
    """A ``callback`` of ``dream`` and ``visualize`` that writes every step to a file.

        with jd.RunLog("run.jsonl", model=model) as log:
            jd.dream(0, model, image, callback=log)

    The first line of a run is ``{"run": {...}}``, each other a record of ``step_records``. With a
    ``model``, the last record of an octave, or of a batch of visualisations, also has ``energy``:
    of each layer the mean of its squared activations on the picture after that step, which is
    looked at with at most 512 pixels a side. Lines are added to what the file has, whole and as
    they come, so that a run can be watched.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        model: Network | None = None,
        layers: str | Sequence[str] | None = None,
        run: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a run in a file.

        Args:
            model: the network whose layers' energies are recorded; by default none are.
            layers: which, or one; by default those of the network that dream well, or its default
                layer.
            run: what the first line tells of the run, as JSON can hold it.

        Raises:
            JaxdreamError: the file has something else in it or cannot be written, there is no such
                layer, or there are layers without a network.
        """
        if layers and model is None:
            raise JaxdreamError("the energies of layers need a network: give model as well")
        layers = [layers] if isinstance(layers, str) else layers
        check_log(path)
        self._model = model
        self._layers: tuple[str, ...] = ()
        if model is not None:
            chosen = layers or model.graph.good_layers or (model.default_layer,)
            self._layers = tuple(map(model.graph.resolve, chosen))
        self._path = path
        try:
            self._file = os.open(path, _APPENDING, 0o666)
        except OSError as error:
            raise JaxdreamError(f"cannot write {printable(str(path))}: {reason(error)}") from error
        self._write([{"run": dict(run or {})}])

    def __call__(self, state: _State, *, names: Mapping[int, str] | None = None) -> None:
        """Write the steps since the last state.

        Args:
            names: of the pictures by their numbers, instead of these; others are left out.

        Raises:
            JaxdreamError: the file cannot be written.
        """
        records = step_records(state)
        if self._layers and state.step == state.steps:
            pictures = list(_pictures(state))
            for record, picture in zip(records[-len(pictures) :], pictures, strict=True):
                if names is None or record["picture"] in names:
                    record["energy"] = self._energies(picture)
        if names is not None:
            records = [
                {**record, "picture": names[record["picture"]]}
                for record in records
                if record["picture"] in names
            ]
        self._write(records)

    def close(self) -> None:
        """End the run; the file can be read while it is open, too."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _energies(self, picture) -> dict[str, float | None]:
        assert self._model is not None
        energies = layer_energies(self._model, picture, self._layers)
        return {layer: _number(energy) for layer, energy in energies.items()}

    def _write(self, records: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        data = lines.encode("ascii")
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            path = printable(str(self._path))
            raise JaxdreamError(f"cannot write {path}: {reason(error)}") from error


def check_log(path: PathLike) -> None:
    """Make sure that a run can be added to a file, if it is there.

    Raises:
        JaxdreamError: it is no log of jaxdream's.
    """
    if not os.path.lexists(path):
        return
    with open_regular(path) as file:
        begin = file.read(len(_BEGIN))
    if begin not in (b"", _BEGIN):
        raise JaxdreamError(
            f"{printable(str(path))} is no log of an earlier run, so none is added to it: name "
            "another file"
        )


def _pictures(state: _State) -> Iterator[Any]:
    """The pictures after the last step: RGB, 0..255, (h, w, 3) each."""
    if isinstance(state, VisualizeState):
        yield from state.images
    elif state.batch == "one":
        yield state.at_octave
    else:
        yield from state.at_octave


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
