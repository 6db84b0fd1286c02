"""Every setting, once: its default, its range, its unit and its help.

The command line, the signatures and docstrings of the Python functions, recipes, journals and the
tables in the documentation are made from these classes, so a new setting is one field here and one
use where it takes effect. Nothing here imports JAX or NumPy: ``jaxdream --help`` is immediate.
"""

from jaxdream.settings.base import (
    Setting,
    Settings,
    check_value,
    default,
    default_text,
    describe,
    json_fields,
    option_name,
    setting,
)
from jaxdream.settings.dreaming import (
    CLASSIC,
    MASK_AND_SEAMLESS,
    SEAMLESS,
    SPHERE,
    DreamSettings,
    SourceSettings,
)
from jaxdream.settings.functions import settings_table, takes_settings
from jaxdream.settings.machine import (
    PRECISION_OPTIONS,
    PRECISIONS,
    SHARDS,
    Compute,
    Precision,
    PrecisionOption,
)
from jaxdream.settings.page import PageSettings
from jaxdream.settings.units import (
    CELL_ACTIVATIONS,
    FULL_GRID,
    PROJECTIONS,
    AtlasSettings,
    ExamplesSettings,
    PassSettings,
)
from jaxdream.settings.video import AUTO, VIDEO_LONGEST, ClipSettings, VideoSettings
from jaxdream.settings.visualizing import DIVERSITY, VisualizeSettings
from jaxdream.settings.zooming import (
    CLASSIC_ZOOM,
    EASINGS,
    FADED,
    LOOP,
    ONCE,
    PING_PONG,
    ZoomFilmSettings,
    ZoomSettings,
)

__all__ = [
    "AUTO", "CELL_ACTIVATIONS", "CLASSIC", "CLASSIC_ZOOM", "DIVERSITY", "EASINGS", "FADED",
    "FULL_GRID", "LOOP", "MASK_AND_SEAMLESS", "ONCE", "PING_PONG", "PRECISIONS",
    "PRECISION_OPTIONS", "PROJECTIONS", "SEAMLESS", "SHARDS", "SPHERE", "VIDEO_LONGEST",
    "AtlasSettings", "ClipSettings", "Compute", "DreamSettings", "ExamplesSettings", "PageSettings",
    "PassSettings", "Precision", "PrecisionOption", "Setting", "Settings", "SourceSettings",
    "VideoSettings", "VisualizeSettings", "ZoomFilmSettings", "ZoomSettings", "check_value",
    "default", "default_text", "describe", "json_fields", "option_name", "setting",
    "settings_table", "takes_settings",
]  # fmt: skip
