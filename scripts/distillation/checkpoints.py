"""Checkpoints of a training run, by Orbax: the newest is kept, and is complete or absent."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from distillation.settings import TrainSettings
from jaxdream import JaxdreamError


class Checkpoints:
    """The checkpoints in a folder; to be used in a ``with`` block."""

    def __init__(self, folder: Path, settings: TrainSettings) -> None:
        self.folder = folder.absolute()
        # What may not change when a run goes on: the network, and the crops.
        self._fixed = {"widths": list(settings.widths), "seed": settings.seed}
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        # Without its handler, a manager that only reads warns about a checkpoint's metadata.
        handler = ocp.StandardCheckpointHandler()
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager.close()

    def save(self, step: int, state: Any) -> None:
        """Write the state after so many steps, and delete the checkpoint before it."""
        metadata = {"run": self._fixed, "arrays": _shapes(state)}
        self._manager.save(step, args=ocp.args.StandardSave(state), custom_metadata=metadata)

    def load(self, shapes: Any) -> Any | None:
        """The newest state, or None if there is none.

        Args:
            shapes: the state's tree, of ``jax.ShapeDtypeStruct``.

        Raises:
            JaxdreamError: it is of another network or run.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        saved = self._manager.metadata(step).custom_metadata
        if saved["run"] != self._fixed:
            raise JaxdreamError(
                f"{self.folder} is of a run with {saved['run']}: give the same options"
            )
        # Compared first: where Orbax itself finds out, it leaves reads that nobody waits for.
        if saved["arrays"] != _shapes(shapes):
            raise JaxdreamError(f"{self.folder} is of another network or optimizer")
        state = self._manager.restore(step, args=ocp.args.StandardRestore(shapes))
        # Orbax binds the arrays to a device, and a step with such arrays is compiled again.
        return jax.tree.map(lambda array: jnp.asarray(np.asarray(array)), state)


def _shapes(tree: Any) -> dict[str, list[int]]:
    """The shape of every array, by its path in the tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): list(array.shape) for path, array in leaves}
