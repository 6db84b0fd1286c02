"""The options of the commands that make films: ``zoom`` and ``video``."""

from jaxdream.cli.command_parts import (
    add_cluster,
    add_command,
    add_device,
    add_network,
    add_objective,
    add_overwrite,
)
from jaxdream.cli.curve_options import add_curves
from jaxdream.cli.options import add_settings, number, whole_number
from jaxdream.settings import (
    LOOP,
    ClipSettings,
    Compute,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    ZoomFilmSettings,
    ZoomSettings,
    default,
    default_text,
    describe,
)
from jaxdream.video.codecs import CODECS, DEFAULT_CODEC, MAX_CRF, described_codecs


def add_zoom(commands) -> None:
    parser = add_command(
        commands, "zoom", "zoom.zoom_picture", "dream a zoom into a picture: frames or a film",
        "  jaxdream zoom sky.jpg -o zoom.mp4\n"
        "  jaxdream zoom sky.jpg -o frames --rotate 1 --shift 2 0 --easing in-out\n",
    )  # fmt: skip
    add = parser.add_argument
    add("input", nargs="?", metavar="IN", help="the picture to begin from")
    add("-o", "--output", metavar="OUT", help="where to write: a .mp4, .webp, .gif, or a folder "
        "of frames (default: IN_zoom.mp4)")  # fmt: skip
    add_overwrite(parser)
    add_settings(parser, ZoomSettings, absent=True)
    add("--classic", action="store_true", help="the loop of 2015: its zoom, and nothing damped; "
        "what is given beside it wins")  # fmt: skip
    film = parser.add_argument_group("the film")
    add_curves(film, names="zoom, rotate, shift_x, shift_y, damping, step_size, strength or "
               "objective")  # fmt: skip
    group = film.add_argument
    fps = describe(ZoomFilmSettings)["fps"]
    group("--fps", type=number(fps.minimum, fps.maximum, "fps"), metavar=fps.metavar,
          default=default(ZoomFilmSettings, "fps"),
          help=f"{fps.help} (default: {default_text(ZoomFilmSettings, 'fps')})")  # fmt: skip
    group("--ping-pong", action="store_true", help="play the frames forwards, then backwards, so "
          "that the film repeats without a jump")  # fmt: skip
    group("--loop", type=whole_number(1, 10**5, "loop"), nargs="?", const=LOOP, metavar="N",
          help=f"fade the last N frames of the film into its first ({LOOP} where N is not given), "
          "so that it repeats without a jump")  # fmt: skip
    group("--keep-frames", action="store_true", help="keep the folder OUT.frames of a film")
    add_objective(parser)
    add_settings(parser, DreamSettings, absent=True)
    add_settings(parser, SourceSettings)
    add_network(parser)
    add_settings(parser, Compute)
    add_device(parser)


def add_video(commands) -> None:
    parser = add_command(
        commands, "video", "video.dream_video", "dream a video without flicker, with its sound",
        "  jaxdream video walk.mp4 -o dream.mp4\n"
        "  jaxdream video walk.mp4 -o dream.mp4 --preview\n"
        "  jaxdream video walk.mp4 -o dream.mov --codec prores --start 10 --end 20\n"
        '  jaxdream video walk.mp4 -o dream.mp4 --curve "objective: 0 3b, 8s 4c"\n',
    )  # fmt: skip
    add = parser.add_argument
    add("input", metavar="IN", help="the video to dream")
    add("-o", "--output", metavar="OUT", help="where to write: a .mp4, .mov, .mkv, .m4v, .webp, "
        ".gif, or a folder of frames (default: IN_dream.mp4)")  # fmt: skip
    add_overwrite(parser)
    add("--preview", action="store_true", help="a quick look: every tenth frame, small, into "
        "IN_preview.mp4 unless --output is given")  # fmt: skip
    add("--plan", action="store_true", help="print how many frames there are, and what time, "
        "memory and disk they take; stop")  # fmt: skip
    add_settings(parser, VideoSettings)
    add_settings(parser, ClipSettings)
    film = parser.add_argument_group("the film")
    group = film.add_argument
    group("--codec", metavar="NAME", help=f"how the film is stored: {described_codecs()} (default: "
          f"{DEFAULT_CODEC})")  # fmt: skip
    group("--crf", type=whole_number(0, MAX_CRF, "crf"), metavar="N", help="how much of the "
          f"picture is lost, from 0 to {MAX_CRF} (default: the codec's own, "
          f"{CODECS[DEFAULT_CODEC].crf} for {DEFAULT_CODEC})")  # fmt: skip
    group("--sound", metavar="FILE", help="take the sound of this file")
    group("--no-sound", action="store_true", help="leave out sound and subtitles")
    group("--keep-frames", action="store_true", help="keep the folder OUT.frames of a film")
    add_curves(film, names="step_size, strength or objective")
    add_objective(parser)
    add_settings(parser, DreamSettings, absent=True)
    add_settings(
        parser, SourceSettings, without=("begin", "make_tile"),
        help={"size": "size to dream at: the longest side, or width and height; the video's own, "
              "640 at most, unless it is given",
              "mask": "where to dream, white all, grey less, black nothing: a picture, a folder "
              "with one for each frame, or a video"},
    )  # fmt: skip
    add_network(parser)
    add_settings(parser, Compute)
    add_device(parser)
    add_cluster(parser, "Each scene goes to one worker; IN and OUT are paths that all machines see")
