"""The formats that pictures and animations are written in, and what each of them can hold."""

from dataclasses import dataclass
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable


@dataclass(frozen=True)
class Format:
    """A format of files, as Pillow or FFmpeg names it."""

    name: str
    longest_side: int = 2**31 - 1  # pixels
    still: bool = True  # whether it is one of single pictures
    alpha: bool = False  # whether it holds transparency
    recipe: bool = True  # whether it holds the settings behind a picture
    max_fps: int = 0  # frames a second of its animations, 0 if it has none
    tick: float = 0.0  # durations of frames are multiples of it, in seconds; 0 if they are exact


# Above their ``max_fps`` browsers slow GIF and WebP animations down.
FORMATS = {
    ".png": Format("PNG", alpha=True),
    ".jpg": Format("JPEG", longest_side=65500),
    ".jpeg": Format("JPEG", longest_side=65500),
    ".webp": Format("WEBP", longest_side=16383, alpha=True, max_fps=90, tick=0.001),
    ".tif": Format("TIFF", alpha=True),
    ".tiff": Format("TIFF", alpha=True),
    ".bmp": Format("BMP", recipe=False),
    ".gif": Format("GIF", longest_side=65535, max_fps=50, tick=0.01),
    ".mp4": Format("MP4", longest_side=16384, still=False, max_fps=240),
}
PICTURE_SUFFIXES = tuple(suffix for suffix, form in FORMATS.items() if form.still)
ANIMATION_SUFFIXES = (".gif", ".webp", ".mp4")


def picture_format(path: PathLike, size: tuple[int, int] = (1, 1)) -> Format:
    """The format of pictures that the ending of a file's name means.

    Args:
        size: height and width of the picture, in pixels.

    Raises:
        JaxdreamError: the ending means none, or the picture is too large for it.
    """
    return _find(path, size, PICTURE_SUFFIXES, "pictures")


def animation_format(path: PathLike, size: tuple[int, int] = (1, 1)) -> Format:
    """The format of animations that the ending of a file's name means.

    Args:
        size: height and width of the frames, in pixels.

    Raises:
        JaxdreamError: the ending means none, or the frames are too large for it.
    """
    return _find(path, size, ANIMATION_SUFFIXES, "animations")


def keeps_alpha(path: PathLike) -> bool:
    """Whether pictures of this name hold transparency.

    Raises:
        JaxdreamError: no pictures can be written by this name.
    """
    return picture_format(path).alpha


def keeps_recipe(path: PathLike) -> bool:
    """Whether pictures of this name hold the settings behind them.

    Raises:
        JaxdreamError: no pictures can be written by this name.
    """
    return picture_format(path).recipe


def _find(path: PathLike, size: tuple[int, int], suffixes: tuple[str, ...], what: str) -> Format:
    name = printable(path)
    suffix = Path(path).suffix.lower()
    known = f"{what} are written as {', '.join(suffixes)}"
    if not suffix:
        raise JaxdreamError(f"{name}: the name needs an ending: {known}")
    if suffix not in suffixes:
        raise JaxdreamError(f"{name}: {known}, not {printable(suffix)!r}")
    chosen = FORMATS[suffix]
    if max(size) > chosen.longest_side:
        other = ": write a PNG" if what == "pictures" else ""
        raise JaxdreamError(
            f"{name}: {size[1]}x{size[0]} pixels are too many for {chosen.name}, which holds at "
            f"most {chosen.longest_side} a side{other}"
        )
    return chosen


def before_after_path(output: Path) -> Path:
    """Where a picture and its dream go side by side."""
    return output.with_name(f"{output.stem}_before_after{output.suffix}")
