"""Dreams in Ray datasets of one's own: a callable class for ``map_batches``, and all around it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdream.batches import Batch, iterate_batch, plan_batches
from jaxdream.cluster.engine import find_workers, ray_data
from jaxdream.cluster.optional import imported
from jaxdream.cluster.stages import start_worker, use_processor
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.folder.run import picture_seed
from jaxdream.images.picture_files import decode_picture
from jaxdream.images.pixels import as_pixels, check_picture, to_levels
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, DreamSettings, takes_settings

_NOTHING = np.zeros((0, 0, 3), np.uint8)  # instead of a dream that could not be made


class Dreamer:
    """Dreams the pictures of a batch of rows: a callable class for ``Dataset.map_batches``.

    Each row has a picture in a column, an array (h, w, 3) of RGB, 0..255, or the bytes of a file;
    and a name, on which its seed depends, so that its dream is the same in any batch, to rounding.
    Pictures with equal padded shapes are dreamed together. A row gets two columns more: ``dream``,
    (h, w, 3), whole levels, and ``reason``, why there is none, or empty.

    ``dataset.map_batches(Dreamer, fn_constructor_args=(model,), batch_size=16, num_gpus=1,
    concurrency=8)``.
    """

    @takes_settings(settings=DreamSettings, compute=Compute)
    def __init__(
        self,
        model: Any,
        objective: Objective | str | None = None,
        *,
        settings: DreamSettings,
        compute: Compute,
        seed: int = 0,
        image: str = "image",
        name: str = "path",
        max_batch: int | None = None,
        platform: str | None = None,
    ) -> None:
        """
        Args:
            model: from ``load_model`` or ``wrap``, or a Ray object reference to one.
            objective: as of ``dream``.
            {settings}
            seed: of all pictures; with its name, each has a seed of its own (``picture_seed``).
            image: the column of pictures.
            name: the column of names.
            max_batch: as of ``plan_batches``.
            platform: "cpu", "gpu" or "tpu" to compute on; by default JAX's own choice.
        """
        if platform is not None:
            start_worker(platform)
        self._model: Network = model if isinstance(model, Network) else _taken(model)
        self._objective = as_objective(objective, self._model)
        self._settings, self._compute = settings, compute
        self._seed, self._image, self._name = seed, image, name
        self._max_batch = max_batch

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        for column in (self._image, self._name):
            if column not in rows:
                known = ", ".join(rows)
                raise JaxdreamError(f"the dataset has no column {column!r}: it has {known}")
        count = len(rows[self._image])
        dreams, reasons = [_NOTHING] * count, [""] * count
        pictures: dict[int, np.ndarray] = {}
        for number, (picture, name) in enumerate(
            zip(rows[self._image], rows[self._name], strict=True)
        ):
            try:
                pictures[number] = _pixels(picture, str(name))
                self._planned([pictures[number]])
            except JaxdreamError as error:
                reasons[number] = reasons[number] or str(error)
                pictures.pop(number, None)
        chosen = list(pictures)
        for batch in self._planned(list(pictures.values())) if pictures else []:
            numbers = [chosen[i] for i in batch.pictures]
            names = [str(rows[self._name][number]) for number in numbers]
            found = self._dreamed(names, [pictures[number] for number in numbers], batch)
            for number, (dream, why) in zip(numbers, found, strict=True):
                dreams[number], reasons[number] = dream, why
        return {**rows, "dream": _column(dreams), "reason": np.array(reasons, object)}

    def _planned(self, pictures: Sequence[np.ndarray]) -> list[Batch]:
        return plan_batches(
            [(picture.shape[0], picture.shape[1]) for picture in pictures],
            model=self._model,
            objective=self._objective,
            settings=self._settings,
            compute=self._compute,
            max_batch=self._max_batch,
        )

    def _dreamed(
        self, names: Sequence[str], pictures: Sequence[np.ndarray], batch: Batch
    ) -> list[tuple[np.ndarray, str]]:
        import jax

        keys = [jax.random.key(picture_seed(self._seed, name)) for name in names]
        try:
            *_, (state, errors) = iterate_batch(
                keys, self._model, pictures, batch, self._objective,
                settings=self._settings, compute=self._compute,
            )  # fmt: skip
        except JaxdreamError as error:  # of the batch, such as too little memory
            return [(_NOTHING, str(error))] * len(pictures)
        found = zip(state.layout.take(state.array), errors, strict=True)
        return [
            (_NOTHING, why) if why else (to_levels(picture, name=name), "")
            for name, (picture, why) in zip(names, found, strict=False)
        ]


@takes_settings(settings=DreamSettings, compute=Compute)
def dream_dataset(
    dataset: Any,
    model: Network,
    objective: Objective | str | None = None,
    *,
    settings: DreamSettings,
    compute: Compute,
    seed: int = 0,
    image: str = "image",
    name: str = "path",
    batch_size: int = 16,
    max_batch: int | None = None,
    device: str | None = None,
) -> Any:
    """A Ray dataset with a dream for each of its pictures; it is computed when it is read.

    Files are decoded in tasks of their own, while one actor for each accelerator dreams. The
    network lies in Ray's object store once.

    Args:
        dataset: with a column of pictures, as ``ray.data.read_images(..., include_paths=True)`` and
            ``ray.data.read_binary_files`` give it; as of ``Dreamer``.
        model: from ``load_model`` or ``wrap``.
        objective: as of ``dream``.
        {settings}
        seed, image, name, max_batch: as of ``Dreamer``.
        batch_size: rows in which pictures of one padded shape are looked for.
        device: "cpu", "gpu" or "tpu", where only that is wanted.

    Returns:
        The dataset with the columns ``dream``, (h, w, 3) whole levels, and ``reason``, why there is
        no dream, or empty.

    Raises:
        JaxdreamError: a setting is wrong, Ray is not installed, or the cluster has no such device.
    """
    data = ray_data()
    ray = imported("ray")

    as_objective(objective, model)  # now, and not in a worker
    workers = find_workers(compute, device)
    pool = data.ActorPoolStrategy(min_size=1, initial_size=workers.now, max_size=None)
    options = {
        "settings": settings, "compute": compute, "seed": seed, "image": image, "name": name,
        "max_batch": max_batch, "platform": workers.platform,
    }  # fmt: skip
    return dataset.map(_Decode(image, name), num_cpus=workers.reading_cpus).map_batches(
        Dreamer,
        batch_size=batch_size,
        batch_format="numpy",
        fn_constructor_args=(ray.put(model), objective),
        fn_constructor_kwargs=options,
        compute=pool,
        **workers.options,
    )


class _Decode:
    """Turns the bytes of a file into its picture; what is none stays for the ``Dreamer`` to say."""

    def __init__(self, image: str, name: str) -> None:
        self._image, self._name = image, name

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        picture = row.get(self._image)
        if isinstance(picture, bytes):
            use_processor()
            try:
                pixels = _pixels(picture, str(row.get(self._name, "a picture")))
            except JaxdreamError:
                return row
            levels = to_levels(pixels, name=self._image)
            # Of 16 bits of grey, what is between the levels is kept.
            return {**row, self._image: levels if np.array_equal(levels, pixels) else pixels}
        return row


def _pixels(picture: Any, name: str) -> np.ndarray:
    """The pixels of a picture in a row, float32, (h, w, 3).

    Raises:
        JaxdreamError: there is none.
    """
    if isinstance(picture, bytes):
        if not picture:
            raise JaxdreamError(f"{name} is empty")
        return decode_picture(picture, name).pixels
    try:
        array = np.asarray(picture)
        if array.ndim == 2:  # as Ray reads grey files
            array = np.stack([array] * 3, axis=-1)
        check_picture(array, name=name)
        return np.asarray(as_pixels(array), np.float32)
    except (TypeError, ValueError) as error:
        raise JaxdreamError(f"{name}: {reason(error)}") from None


def _column(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures, perhaps of several sizes, as one column."""
    if len({picture.shape for picture in pictures}) == 1:
        return np.stack(list(pictures))
    column = np.empty(len(pictures), object)
    column[:] = list(pictures)
    return column


def _taken(reference: Any) -> Any:
    ray = imported("ray")

    return ray.get(reference) if isinstance(reference, ray.ObjectRef) else reference
