"""What the units of a network see in many pictures: examples of each unit, the atlas of a layer."""

from jaxdream.settings.base import Settings, setting

PROJECTIONS = ("auto", "umap", "pca")
FULL_GRID = 20  # cells in a row of an atlas of many activations
CELL_ACTIVATIONS = 50  # that a cell of a smaller atlas has on average


class PassSettings(Settings):
    """How many pictures are shown to a network, one after the other."""

    title = "the pictures"

    size: str | None = setting(
        default=None,
        help="size that every picture is shown at: its shortest side becomes this long, and what "
        "is longer is cut off at both ends; WxH is filled in the same way",
        kind=str,
        metavar="N|WxH",
        default_text="224, or the one size that the network takes",
    )
    batch: int = setting(
        default=16, help="pictures that are computed together", minimum=1, maximum=4096
    )


class ExamplesSettings(PassSettings):
    """Which examples of each unit are kept."""

    title = "the examples"

    top: int = setting(
        default=9,
        help="examples of each channel: the positions that excite it most, each in another picture",
        minimum=1,
        maximum=100,
    )


class AtlasSettings(PassSettings):
    """Which activations an atlas is made of, and how they are laid out."""

    title = "the atlas"

    samples: int = setting(
        default=20000,
        help="activations that are kept, at random positions of all pictures",
        minimum=4,
        maximum=10**7,
    )
    grid: int | None = setting(
        default=None,
        help="cells of the atlas in a row and in a column",
        kind=int,
        default_text=f"{FULL_GRID}, or fewer, so that a cell has {CELL_ACTIVATIONS} activations on "
        "average",
        minimum=1,
        maximum=500,
    )
    cell_minimum: int = setting(
        default=5, help="activations that a cell needs to be shown", minimum=1, maximum=10**6
    )
    cell_size: int = setting(
        default=96, help="side of a cell's picture, in pixels", minimum=8, maximum=1024
    )
    projection: str = setting(
        default="auto",
        help="how activations are laid out in the plane: by UMAP, which keeps neighbours together, "
        "or by their two principal components; auto is UMAP where umap-learn is installed",
        choices=PROJECTIONS,
    )
    whiten: bool = setting(
        default=True,
        help="divide a cell's activation by what all activations of the layer have in common",
    )
    seed: int = setting(
        default=0, help="seed of the random positions", minimum=0, maximum=2**32 - 1
    )
