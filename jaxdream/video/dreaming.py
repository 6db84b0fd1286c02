"""The dream of a video: each frame goes on from the dream of the frame before."""

from collections.abc import Iterable, Iterator, Sequence

from jaxdream.algorithm.keys import single_key
from jaxdream.curves.curve import OBJECTIVE
from jaxdream.curves.names import dream_curve_settings
from jaxdream.curves.text import parse_curves
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.execution.sharding import chosen_sharding
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import as_objective, parse_objective
from jaxdream.objectives.tokens import shortened
from jaxdream.settings import Compute, DreamSettings, VideoSettings, takes_settings
from jaxdream.types import OneKey
from jaxdream.video.clips import Frame, Mask, clip_frames, split_scenes
from jaxdream.video.coherence import Carried
from jaxdream.video.cuts import CutFinder
from jaxdream.video.dreamer import Dreamer, VideoState
from jaxdream.video.flow import FlowMethod, flow_library, optical_flow


@takes_settings(video_settings=VideoSettings, settings=DreamSettings, compute=Compute)
def iterate_video(
    key: OneKey | int,
    model: Network,
    frames: Iterable[Frame],
    objective: Objective | str | None = None,
    *,
    video_settings: VideoSettings,
    settings: DreamSettings,
    compute: Compute,
    masks: Mask | Iterable[Mask] | None = None,
    curves: Sequence[str] = (),
    fps: float | int = 25,
    frame_count: int | None = None,
    frames_done: int = 0,
    carried: Carried | None = None,
    first_image: Frame | None = None,
    flow: FlowMethod = optical_flow,
) -> Iterator[VideoState]:
    """Dream the frames of a video, each going on from the dream of the one before.

    The first frame, and each that begins a scene, is the dream of a still: that of ``dream`` with
    the same key and settings. A further frame begins with the detail of the frame before, carried
    along the optical flow, and takes ``frame_steps`` steps in each octave (``video.coherence`` has
    the formulas). All frames have the same jitter. The pictures alone are::

        pictures = [state.image for state in jd.iterate_video(0, model, frames)]

    One frame is read ahead of the one that is dreamed, and its flow computed meanwhile. Where the
    iterator is closed before its end, it waits for that frame.

    Args:
        key: a JAX random key, or a whole number.
        model: from ``load_model`` or ``wrap``.
        frames: RGB, 0..255, (h, w, 3) each, of one size, in their order; any iterator.
        objective: as of ``dream``.
        {settings}
        masks: how much of each step a pixel takes, (h, w), 0..1: one for all frames, or one for
            each in turn.
        curves: what changes from frame to frame, as of ``iterate_zoom``: step_size, strength, and
            objective in the place of ``objective``.
        fps: frames a second, for the seconds in curves.
        frame_count: of the whole video, for the shares in curves.
        frames_done: how many frames of the video are done; ``frames`` begins with the next.
        carried: where some are done, that of the last of them (``VideoState.carried``).
        first_image: the video's first frame, where frames are done and the objective has a curve.
        flow: where each pixel of its first frame (uint8, (h, w, 3)) lies in its second, (h, w, 2),
            (to the right, down); by default that of OpenCV.

    Raises:
        JaxdreamError: OpenCV is not installed; as of ``dream``; a frame or a mask of another size,
            or none; as ``parse_curves``. Where it does not depend on the frames, when it is called.

    Source: the carried detail is that of samim's DeepDreamAnim (2015); the consistency of flow
    that of Ruder, Dosovitskiy, Brox: Artistic Style Transfer for Videos (2016).
    """
    dreamer = plan_video(
        key, model, objective, video_settings=video_settings, settings=settings, compute=compute,
        curves=curves, timeline=Timeline(fps, frame_count), first_image=first_image, flow=flow,
    )  # fmt: skip
    if frames_done < 0:
        raise JaxdreamError(f"frames_done must be at least 0, not {frames_done}")
    if carried is not None and not frames_done:
        raise JaxdreamError("frames_done is missing: say how many frames carried comes after")
    if frames_done and carried is None:
        raise JaxdreamError(
            "carried is missing: where frames are done, give that of the last one's state"
        )
    if frames_done and first_image is None and OBJECTIVE in dreamer.curves:
        raise JaxdreamError(
            "first_image is missing: where frames are done and the objective has a curve, give the "
            "first frame of the video"
        )
    finder = CutFinder(video_settings)
    if carried is not None:
        finder = CutFinder(video_settings, carried.frame, carried.frames)
    numbered = clip_frames(frames, masks, frames_done)
    return dreamer.dream(split_scenes(numbered, finder, carried))


def plan_video(
    key: OneKey | int,
    model: Network,
    objective: Objective | str | None = None,
    *,
    video_settings: VideoSettings,
    settings: DreamSettings,
    compute: Compute,
    timeline: Timeline,
    curves: Sequence[str] = (),
    first_image: Frame | None = None,
    files: ObjectiveFiles | None = None,
    flow: FlowMethod = optical_flow,
) -> Dreamer:
    """What dreams the scenes of a video; the arguments are those of ``iterate_video``.

    Args:
        timeline: when frames are shown.
        files: reads the files that the objective's curve names.

    Raises:
        JaxdreamError: as of ``iterate_video``, for what does not depend on the frames.
    """
    flow_library()
    video_settings.check_with(settings)
    parsed = parse_curves(curves, dream_curve_settings(), timeline=timeline)
    curve = parsed.get(OBJECTIVE)
    if curve is None:
        objective = as_objective(objective, model)
    else:
        if objective is not None:
            raise curve.error(
                f"there is also the objective {shortened(str(objective))!r}: give one of the two"
            )
        for text in curve.texts:
            parse_objective(text, model, files=files)
    return Dreamer(
        single_key(key), model, objective, video_settings, settings, compute, parsed, timeline,
        flow, first_image, files, chosen_sharding(compute.shard),
    )  # fmt: skip
