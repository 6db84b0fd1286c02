"""Looks in Python: the settings and the objective that ``--look NAME`` stands for."""

from jaxdream.models.network import Network
from jaxdream.objectives.text import names_objective
from jaxdream.settings import DreamSettings
from jaxdream.settings.looks import Look, find_look


def use_look(model: Network, name: str, *, seed: int = 0) -> tuple[DreamSettings, str]:
    """The settings of a look, and what it maximises with a network::

        settings, objective = jd.use_look(model, "cubist")
        out = jd.dream(key, model, image, objective, settings=settings, steps=20)

    Args:
        model: from ``load_model`` or ``wrap``.
        name: one of ``jaxdream looks``, or "random".
        seed: of the look "random".

    Raises:
        JaxdreamError: no look has this name (names the nearest).
    """
    look = find_look(name, seed)
    return DreamSettings(**look.settings), look_objective(model, look)


def look_objective(model: Network, look: Look) -> str:
    """The text of what a look maximises with a network."""
    return look.objective(lambda text: names_objective(text, model), model.default_layer)
