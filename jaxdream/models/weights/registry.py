"""The known weight files: one frozen record each. Data, no behaviour.

Several files may hold the weights of one model; ``load_model(name)`` gets them from the first
record of a model. Whether a file is on this machine is known to ``load``, not to its record.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxdream.errors import JaxdreamError
from jaxdream.models.googlenet import googlenet, torch_googlenet
from jaxdream.models.graph import Graph
from jaxdream.models.inception5h import inception5h
from jaxdream.models.inception_resnet_v2 import inception_resnet_v2
from jaxdream.models.inception_v3 import inception_v3
from jaxdream.models.inception_v4 import inception_v4
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.resnet import resnet50
from jaxdream.models.vgg import vgg

# Google's notebook of 2015 subtracts this mean; Caffe's own examples subtract (104, 117, 123).
NOTEBOOK_2015 = Preprocessing("BGR", (104.0, 116.0, 122.0))
CAFFE = Preprocessing("BGR", (104.0, 117.0, 123.0))
MINUS_117 = Preprocessing("RGB", (117.0, 117.0, 117.0))
MINUS_ONE_TO_ONE = Preprocessing("RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
PLACES = Preprocessing("BGR", (104.04, 112.60, 116.79))  # the mean of Places365
IMAGENET = Preprocessing("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

# Widths of the bundled network, as fractions of GoogLeNet's: through 3b, 4a to 4e, 5a and 5b.
MINI_WIDTHS = (1.0, 0.75, 0.5)


@dataclass(frozen=True)
class WeightsRecord:
    """One weight file."""

    model: str  # its name for --model and load_model
    summary: str
    build: Callable[[], Graph]  # the architecture
    preprocessing: Preprocessing
    default_layer: str
    licence: str
    origin: str  # who trained it, and on which data
    file: str
    repo: str | None = None  # on the Hugging Face hub
    bundled: bool = False  # comes with the package
    megabytes: int = 0  # 0 if it is not known
    sha1: str | None = None
    sha256: str | None = None  # of the file; a prefix if only that is published
    classes: int | None = None  # of its classifier, where those are not ImageNet's 1000


def _mini() -> Graph:
    return googlenet(width=MINI_WIDTHS, lrn=False)


def _places(classes: int) -> Callable[[], Graph]:
    return lambda: googlenet().with_classes(classes)


def _vgg16() -> Graph:
    return vgg(16)


def _vgg19() -> Graph:
    return vgg(19)


def _resnet50_places365() -> Graph:
    return resnet50().with_classes(365)


def _inception_v3_2015() -> Graph:
    return inception_v3(torch=False, last="mixed_8")


_GOOGLENET = WeightsRecord(
    model="googlenet",
    summary="GoogLeNet, the network of the 2015 DeepDream",
    build=googlenet,
    preprocessing=NOTEBOOK_2015,
    default_layer="inception_4c/output",
    licence="unrestricted use",
    origin="BVLC, ImageNet 2012",
    repo="onnxmodelzoo/googlenet-3",
    file="googlenet-3.onnx",
    megabytes=28,
)
# The networks behind the temples of 2015.
_PLACES365 = replace(
    _GOOGLENET,
    model="googlenet_places365",
    summary="GoogLeNet of Places365: temples, arches and towers",
    build=_places(365),
    preprocessing=PLACES,
    default_layer="inception_4a/output",
    licence="CC BY",
    origin="MIT, Places365 (B. Zhou and others, 2017)",
    repo="mediasynthesismuseum/deepdream-googlenet",
    file="googlenet_places365.pth",
    classes=365,
)
_INCEPTION_V3 = WeightsRecord(
    model="inception_v3",
    summary="Inception v3, torchvision's port of Google's weights",
    build=inception_v3,
    preprocessing=MINUS_ONE_TO_ONE,
    default_layer="mixed_4",
    licence="Apache-2.0",
    origin="Google, ImageNet 2012, through torchvision",
    repo="timm/inception_v3.tv_in1k",
    file="model.safetensors",
    megabytes=95,
)

_VGG16 = WeightsRecord(
    model="vgg16",
    summary="VGG16, torchvision's; large and slow",
    build=_vgg16,
    preprocessing=IMAGENET,
    default_layer="relu4_3",
    licence="BSD-3-Clause",
    origin="torchvision, ImageNet 2012",
    repo="timm/vgg16.tv_in1k",
    file="model.safetensors",
    megabytes=553,
)
_VGG19 = replace(
    _VGG16,
    model="vgg19",
    summary="VGG19, torchvision's; three convolutions more than VGG16",
    build=_vgg19,
    repo="timm/vgg19.tv_in1k",
    megabytes=575,
)
_RESNET50 = WeightsRecord(
    model="resnet50",
    summary="ResNet50, torchvision's",
    build=resnet50,
    preprocessing=IMAGENET,
    default_layer="layer3.2",
    licence="BSD-3-Clause",
    origin="torchvision, ImageNet 2012",
    repo="timm/resnet50.tv_in1k",
    file="model.safetensors",
    megabytes=102,
)
_GOOGLENET_TORCHVISION = WeightsRecord(
    model="googlenet_torchvision",
    summary="GoogLeNet with BatchNorm, torchvision's port of Google's",
    build=torch_googlenet,
    preprocessing=MINUS_ONE_TO_ONE,
    default_layer="inception_4c/output",
    licence="BSD-3-Clause",
    origin="Google, ImageNet 2012, through torchvision",
    file="googlenet-1378be20.pth",
    megabytes=52,
    sha256="1378be20",
)
_INCEPTION5H = WeightsRecord(
    model="inception5h",
    summary="TensorFlow's GoogLeNet: lucid's InceptionV1, with Distill's channel numbers",
    build=inception5h,
    preprocessing=MINUS_117,
    default_layer="mixed4c",
    licence="not stated",
    origin="Google, ImageNet 2012",
    file="tensorflow_inception_graph.pb",
    megabytes=54,
)
_INCEPTION_V4 = WeightsRecord(
    model="inception_v4",
    summary="Inception v4, Google's training",
    build=inception_v4,
    preprocessing=MINUS_ONE_TO_ONE,
    default_layer="Mixed_6b",
    licence="Apache-2.0",
    origin="Google, ImageNet 2012, through timm",
    repo="timm/inception_v4.tf_in1k",
    file="model.safetensors",
    megabytes=171,
)
_INCEPTION_RESNET_V2 = replace(
    _INCEPTION_V4,
    model="inception_resnet_v2",
    summary="Inception-ResNet v2, Google's training",
    build=inception_resnet_v2,
    default_layer="repeat_1.4",
    repo="timm/inception_resnet_v2.tf_in1k",
    megabytes=224,
)

RECORDS: tuple[WeightsRecord, ...] = (
    _GOOGLENET,
    replace(
        _GOOGLENET,
        repo=None,
        file="bvlc_googlenet.caffemodel",
        megabytes=54,
        sha1="405fc5acd08a3bb12de8ee5e23a96bec22f08204",
    ),
    WeightsRecord(
        model="googlenet_mini",
        summary="a narrower GoogLeNet, trained for jaxdream; comes with it",
        build=_mini,
        preprocessing=CAFFE,
        default_layer="inception_4c/output",
        licence="Apache-2.0",
        origin="jaxdream, distilled from BVLC GoogLeNet",
        file="googlenet_mini.safetensors",
        bundled=True,
        megabytes=7,
        sha256="6d2e9f612a5f11044948ff2e309338b52c8611a8f9a3862181347562e326e4f8",
    ),
    _PLACES365,
    replace(
        _PLACES365,
        model="googlenet_places205",
        summary="GoogLeNet of Places205",
        build=_places(205),
        origin="MIT, Places205 (B. Zhou and others, 2014)",
        repo=None,
        file="googlenet_places205.caffemodel",
        classes=205,
    ),
    _INCEPTION_V3,
    replace(
        _INCEPTION_V3,
        repo=None,
        licence="BSD-3-Clause",
        file="inception_v3_google-0cc3c7bd.pth",
        megabytes=104,
        sha256="0cc3c7bd",
    ),
    replace(
        _INCEPTION_V3,
        model="inception_v3_tf",
        summary="Inception v3, TensorFlow's later training",
        origin="Google, ImageNet 2012",
        repo="timm/inception_v3.tf_in1k",
    ),
    replace(
        _INCEPTION_V3,
        model="inception_v3_gluon",
        summary="Inception v3, trained by GluonCV",
        preprocessing=IMAGENET,
        origin="GluonCV, ImageNet 2012",
        repo="timm/inception_v3.gluon_in1k",
    ),
    WeightsRecord(
        model="inception_v3_2015",
        summary="Inception v3 of TensorFlow's 2015-12-05 graph, through mixed_8",
        build=_inception_v3_2015,
        preprocessing=MINUS_ONE_TO_ONE,
        default_layer="mixed_4",
        licence="Apache-2.0",
        origin="Google, ImageNet 2012",
        file="inception_v3_2015_to_mixed_8.safetensors",
        megabytes=21,
    ),
    _INCEPTION5H,
    _GOOGLENET_TORCHVISION,
    _RESNET50,
    replace(_RESNET50, repo=None, file="resnet50-0676ba61.pth", sha256="0676ba61"),
    replace(
        _RESNET50,
        model="resnet50_robust",
        summary="ResNet50 trained against attacks (L2, up to 3)",
        licence="MIT",
        origin="Madry's lab, ImageNet 2012 (H. Salman and others, 2020)",
        repo="madrylab/robust-imagenet-models",
        file="resnet50_l2_eps3.ckpt",
        megabytes=0,
    ),
    replace(
        _RESNET50,
        model="resnet50_places365",
        summary="ResNet50 of Places365",
        build=_resnet50_places365,
        licence="CC BY",
        origin="MIT, Places365 (B. Zhou and others, 2017)",
        repo=None,
        file="resnet50_places365.pth.tar",
        megabytes=97,
        classes=365,
    ),
    _VGG16,
    replace(_VGG16, repo=None, file="vgg16-397923af.pth", megabytes=553, sha256="397923af"),
    _VGG19,
    replace(_VGG19, repo=None, file="vgg19-dcbb9e9d.pth", megabytes=575, sha256="dcbb9e9d"),
    _INCEPTION_V4,
    _INCEPTION_RESNET_V2,
    replace(
        _INCEPTION_RESNET_V2,
        model="inception_resnet_v2_adv",
        summary="Inception-ResNet v2, trained against attacks on several networks",
        repo="timm/inception_resnet_v2.tf_ens_adv_in1k",
    ),
)

BUNDLED_MODEL = "googlenet_mini"
CLASSIC_MODEL = "googlenet"


def record_of(model: str) -> WeightsRecord:
    """The first record of a model; upper and lower case are the same.

    Raises:
        JaxdreamError: no such model; the message names the nearest.
    """
    for record in RECORDS:
        if record.model == model.lower():
            return record
    known = list(dict.fromkeys(record.model for record in RECORDS))
    near = difflib.get_close_matches(model.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise JaxdreamError(f"no model {model!r}: {hint}")
