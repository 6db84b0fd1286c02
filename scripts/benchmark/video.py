"""How coherent dreamed videos are, by three ways to dream them, and where a frame's time goes."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

import jaxdream as jd
from benchmark.background import BackgroundLoad, RerunIfDisturbed
from benchmark.log import log
from benchmark.machine import describe_machine
from benchmark.options import Options
from benchmark.results import Coherence, FrameTime, Results
from jaxdream.video.coherence import find_motion
from jaxdream.video.flow import Flow, follow, optical_flow, reliability
from jaxdream.video.reading import open_video
from jaxdream.video.writing import write_video

FRAME_BY_FRAME, BLENDED, CARRIED = "frame by frame", "blended", "carried"
_PAN = (3, 1)  # pixels from frame to frame, to the right and down
_NOISE = 4.0  # levels, standard deviation
_FEWEST = 4  # frames whose times are measured
_BLEND, _BLENDED_STEPS = 0.5, 5  # of DeepDreamVideo (2015)

Frames = Sequence[np.ndarray]  # uint8, RGB, (h, w, 3)


@dataclass(frozen=True)
class Clip:
    """The frames of a video, and the flow from each to the one before, if it is known."""

    name: str
    frames: Frames
    known: Flow | None = None


def clips(options: Options) -> Iterator[Clip]:
    """A photograph panned by a known motion, a still one under noise, and the files given."""
    count, longest = options.video_frames, options.video_longest
    photo = np.asarray(jd.resize(jd.read_image(options.photo), longest=2 * longest))
    photo = photo.round().astype(np.uint8)
    height, width = longest * 9 // 16, longest
    right, down = _PAN
    pan = [photo[down * t :, right * t :][:height, :width] for t in range(count)]
    moved = np.broadcast_to(np.array([right, down], np.float32), (height, width, 2))
    yield Clip("a photograph, panned", pan, np.ascontiguousarray(moved))
    random = np.random.default_rng(0)
    still = photo[:height, :width]
    noisy = [still + random.normal(0, _NOISE, still.shape) for _ in range(count)]
    yield Clip("a still photograph", [still] * count)
    yield Clip("a still one with noise", [f.clip(0, 255).round().astype(np.uint8) for f in noisy])
    for path in options.clips:
        yield Clip(path.name, _read(path, count, longest))


def _read(path: Path, count: int, longest: int) -> Frames:
    with open_video(path) as reader:
        frames = zip(range(count), reader.frames(), strict=False)
        return [_resized(frame.pixels, longest) for _, frame in frames]


def _resized(pixels: np.ndarray, longest: int) -> np.ndarray:
    resized = np.asarray(jd.resize(pixels.astype(np.float32), longest=longest))
    return resized.round().clip(0, 255).astype(np.uint8)


def _frame_by_frame(model: jd.Network, frames: Frames) -> list[np.ndarray]:
    return [np.asarray(jd.dream(0, model, frame.astype(np.float32))) for frame in frames]


def _blended(model: jd.Network, frames: Frames) -> list[np.ndarray]:
    dreams: list[np.ndarray] = []
    for frame in frames:
        start = frame.astype(np.float32)
        if dreams:
            start = (1 - _BLEND) * start + _BLEND * dreams[-1]
        dreams.append(np.asarray(jd.dream(0, model, start, steps=_BLENDED_STEPS)))
    return dreams


def _carried(model: jd.Network, frames: Frames) -> list[np.ndarray]:
    return [state.image for state in jd.iterate_video(0, model, frames, cuts="none")]


WAYS: dict[str, Callable[[jd.Network, Frames], list[np.ndarray]]] = {
    FRAME_BY_FRAME: _frame_by_frame,
    BLENDED: _blended,
    CARRIED: _carried,
}


def measure_coherence(options: Options, model: jd.Network) -> list[Coherence]:
    """Each way on each clip."""
    found = []
    for clip in clips(options):
        for way, dreamed in WAYS.items():
            log(f"{clip.name}, {way}")
            begun = time.perf_counter()
            dreams = dreamed(model, clip.frames)
            seconds = (time.perf_counter() - begun) / len(dreams)
            found.append(coherence(clip, way, dreams, seconds))
    return found


def coherence(clip: Clip, way: str, dreams: list[np.ndarray], seconds: float) -> Coherence:
    """The measures of a dreamed clip, where its motion can be trusted.

    Source of the warp error: Lai et al.: Learning Blind Video Temporal Consistency (2018).
    """
    errors, own, changes, strengths = [], [], [], []
    pairs = zip(clip.frames, clip.frames[1:], dreams, dreams[1:], strict=False)
    for before, frame, dream_before, dream in pairs:
        flow, reliable = _motion(clip, before, frame)
        detail_before, detail = dream_before - before, dream - frame

        def mean(values: np.ndarray, reliable: np.ndarray = reliable) -> float:
            return float((reliable * values.mean(-1)).sum() / reliable.sum())

        errors.append(mean(np.square(dream - _followed(dream_before, flow))))
        own.append(mean(np.square(frame - _followed(before, flow))))
        changes.append(mean(np.abs(detail - _followed(detail_before, flow))))
        strengths.append(float(np.abs(detail).mean()))
    error, own_error, change, strength = map(np.mean, (errors, own, changes, strengths))
    return Coherence(
        clip.name, way, float(error), float(own_error), float(change), float(strength), seconds
    )


def _followed(values: np.ndarray, flow: Flow) -> np.ndarray:
    return follow(np.asarray(values, np.float32), flow)


def _motion(clip: Clip, before: np.ndarray, frame: np.ndarray) -> tuple[Flow, np.ndarray]:
    if clip.known is None:
        flow = optical_flow(frame, before)
        return flow, reliability(flow, optical_flow(before, frame))
    return clip.known, reliability(clip.known, -clip.known)


def measure_frame_time(options: Options, model: jd.Network) -> list[FrameTime]:
    """Where the time of a frame goes, for the files given, at the size of ``video_timed``."""
    found = []
    for path in options.clips:
        log(f"time of a frame of {path.name}")
        frames = _read(path, options.video_frames, options.video_timed)
        if len(frames) < _FEWEST:
            raise jd.JaxdreamError(f"{path} has {len(frames)} frames: give a longer video")
        flow = [_seconds(find_motion, *pair) for pair in pairwise(frames)]
        whole, begun = [], time.perf_counter()
        for _ in jd.iterate_video(0, model, frames, cuts="none"):
            whole.append(time.perf_counter() - begun)
            begun = time.perf_counter()
        frame = median(whole[2:])  # the first dreams a still, the second waits for programs
        height, width, _ = frames[0].shape
        codec = _codec_seconds(path, frames)
        found.append(FrameTime(path.name, (height, width), median(flow), frame, codec))
    return found


def _codec_seconds(path: Path, frames: Frames) -> float:
    """Seconds to read and to write a frame."""
    with tempfile.TemporaryDirectory() as folder, open_video(path) as reader:
        reading = _seconds(lambda: [None for _ in zip(frames, reader.frames(), strict=False)])
        timed = [(frame, Fraction(n, 25)) for n, frame in enumerate(frames)]
        writing = _seconds(write_video, Path(folder, "out.mp4"), timed)
    return (reading + writing) / len(frames)


def _seconds(function: Callable, *arguments: object) -> float:
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def video_parts(
    options: Options,
) -> tuple[Results, dict[str, Callable[[RerunIfDisturbed], None]]]:
    """Empty results, and the function that fills them."""
    results = Results(describe_machine(None), time.strftime("%Y-%m-%d"), {})
    return results, {"video": partial(measure, options, results)}


def measure(options: Options, results: Results, rerun: RerunIfDisturbed) -> None:
    """Add how coherent videos are, and the time of a frame."""
    load = BackgroundLoad()
    weights = options.weights.get("googlenet")
    if weights is None:  # random ones dream nothing
        model = jd.load_model("googlenet_mini")
    else:
        model = jd.load_model("googlenet", weights=weights)
    results.weights[model.name] = "bundled" if weights is None else weights.name
    results.coherence.extend(measure_coherence(options, model))
    results.frame_times.extend(measure_frame_time(options, model))
    rerun.shares.append(load.share())
