"""A dream as far as it has got, and how detail of one size is added at another."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.algorithm.ascent import StepInfo
from jaxdream.algorithm.finishing import Finishing
from jaxdream.execution.shapes import Layout
from jaxdream.images.resample import resize
from jaxdream.types import AnyArray


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DreamState:
    """A dream as far as it has got: a pytree of arrays; the numbers of its progress are static.

    The arrays may still be computed when a state is given.
    """

    array: Float[AnyArray, "n H W 3"]  # the pictures, as they lie in the program's array
    bases: tuple[AnyArray, ...]  # each undreamed picture at this octave's size
    masks: Sequence[AnyArray] | None  # of each picture, (h, w), 0..1, at its full size
    trajectory: StepInfo  # of every step since the last state, (k, n): one value per picture
    octave: int = field(metadata={"static": True})  # 0 is the smallest
    octaves: int = field(metadata={"static": True})
    step: int = field(metadata={"static": True})  # steps done in this octave
    steps: int = field(metadata={"static": True})
    done: float = field(metadata={"static": True})  # share of the whole dream, by pixels, 0..1
    layout: Layout = field(metadata={"static": True})
    batch: Literal["one", "stack", "list"] = field(metadata={"static": True})  # as it was given
    wrap: tuple[bool, bool] = field(metadata={"static": True})  # as of ``resize``
    finishing: Finishing | None = field(metadata={"static": True})

    @property
    def infos(self) -> StepInfo:
        """Value and mean |gradient| of the last step, (n,) each."""
        return StepInfo(self.trajectory.value[-1], self.trajectory.gradient_mean[-1])

    @property
    def max_mean_gradient(self) -> Float[AnyArray, " n"]:
        """The largest mean |gradient| of the steps since the last state."""
        return self.trajectory.gradient_mean.max(axis=0)

    @property
    def info(self) -> StepInfo:
        """Value and mean |gradient| of the last step: scalars for one picture, (n,) for more."""
        if self.batch != "one":
            return self.infos
        return StepInfo(self.infos.value[0], self.infos.gradient_mean[0])

    @property
    def at_octave(self) -> Float[Array, "*n h w 3"] | list[Float[Array, "_h _w 3"]]:
        """The picture(s) at this octave's size: RGB, 0..255."""
        return self._as_given(self.layout.take(self.array))

    def at_full_size(
        self, image: AnyArray | Sequence[AnyArray]
    ) -> Float[Array, "*n h w 3"] | list[Float[Array, "_h _w 3"]]:
        """The dream so far at the full size of ``image``, which it began from (RGB, 0..255)."""
        images: list[AnyArray] = [image] if self.batch == "one" else list(image)  # pyright: ignore[reportAssignmentType]
        pictures = self.layout.take(self.array)
        detail = map(operator.sub, pictures, self.bases)
        masks = self.masks or [None] * len(images)
        dreams = list(map(partial(add_detail, wrap=self.wrap), images, detail, masks))
        # At the end the pictures are finished already.
        finishing = self.finishing if self.done < 1 else None
        return self._as_given(list(map(finishing, images, dreams, masks)) if finishing else dreams)

    def _as_given(self, pictures: list[AnyArray]):
        """JAX's arrays, in the form in which the pictures were given."""
        if self.batch == "stack":
            traced = any(isinstance(picture, Tracer) for picture in pictures)
            return jnp.stack(pictures) if traced else jax.device_put(np.stack(pictures))
        # By device_put: in ``jnp.asarray``, each size would be one more small program.
        arrays = [
            jax.device_put(np.ascontiguousarray(picture))
            if isinstance(picture, np.ndarray)
            else picture
            for picture in pictures
        ]
        return arrays[0] if self.batch == "one" else arrays


def add_detail(
    base: AnyArray, detail: AnyArray, mask: AnyArray | None, *, wrap: tuple[bool, bool]
) -> AnyArray:
    """A picture with the detail that was dreamed at another size, where the mask is not 0."""
    dreamed = base + resize(detail, (base.shape[0], base.shape[1]), wrap=wrap)
    if mask is None:
        return dreamed
    xp = jnp if isinstance(dreamed, Tracer) or isinstance(mask, Tracer) else np
    return xp.where(mask.reshape(*base.shape[:2], 1) > 0, dreamed, base)
