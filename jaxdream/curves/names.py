"""Which settings can change from frame to frame: those that compile nothing when they do."""

from jaxdream.curves.curve import OBJECTIVE
from jaxdream.settings import DreamSettings, Setting, ZoomSettings, describe


def dream_curve_settings() -> dict[str, Setting]:
    """What can have a curve wherever frames are dreamed, as ``parse_curves`` takes it."""
    known = describe(DreamSettings)
    objective = Setting("what to maximise", kind=str)
    return {OBJECTIVE: objective, **{name: known[name] for name in ("step_size", "strength")}}


def zoom_curve_settings() -> dict[str, Setting]:
    """What can have a curve in a zoom, as ``parse_curves`` takes it."""
    known = describe(ZoomSettings)
    names = ("zoom", "rotate", "shift", "damping")
    return {**{name: known[name] for name in names}, **dream_curve_settings()}
