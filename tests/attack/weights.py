"""Odd weight files and vectors."""

import io
import json
import struct
from random import Random

import numpy as np
from helpers import ROOT

from attack.case import QUICK, SMALL, Case, Place
from attack.mutation import ODD_VALUES, damaged
from attack.pictures import picture

_BUNDLED = ROOT / "weights" / "googlenet_mini.safetensors"
_SUFFIXES = (".safetensors", ".onnx", ".caffemodel", ".pth", ".bin", ".npz", ".txt", "")


def odd_weights(place: Place) -> Case:
    """A weight file that is verified, converted or dreamed with."""
    random = place.random
    name = f"weights{random.choice(_SUFFIXES)}"
    if random.random() < 0.5:
        name = "weights.safetensors"
        content = _odd_safetensors(_BUNDLED.read_bytes(), random)
    else:
        content = random.randbytes(random.choice((0, 1, 10, 1000)))
    (place.work / name).write_bytes(content)
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    command = random.choice(
        (
            ["weights", "verify", name],
            ["weights", "convert", name, "new.safetensors"],
            ["dream", "good.png", "-o", "new.png", "--weights", name, *SMALL],
            ["layers", "--weights", name],
        )
    )
    return Case(command)


def odd_vector(place: Place) -> Case:
    """A ``.npy`` file as a direction."""
    random = place.random
    file = io.BytesIO()
    kind = random.choice((np.float32, np.float64, np.int8, np.complex64, np.bool_))
    np.save(file, np.ones(random.choice(((64,), (1,), (0,), (8, 8))), kind))
    content = file.getvalue()
    if random.random() < 0.3:
        content = content.replace(b"(64,)", b"(10000000000000,)")
    elif random.random() < 0.8:
        content = damaged(content, random)
    (place.work / "odd.npy").write_bytes(content)
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    quick = [option for option in QUICK if option not in ("--layer", "conv1/7x7_s2")]
    text = 'direction("odd.npy", conv1/7x7_s2)'
    return Case(["dream", "good.png", "-o", "new.png", "--objective", text, *quick])


def _odd_safetensors(content: bytes, random: Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    if random.random() < 0.4:
        return damaged(content[: 8 + length], random) + content[8 + length :]
    if random.random() < 0.3:
        at = random.randrange(8 + length, len(content))
        return content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]
    header = json.loads(content[8 : 8 + length])
    name = random.choice([name for name in header if name != "__metadata__"])
    kind = random.randrange(5)
    if kind == 0:
        header[name]["dtype"] = random.choice(("F8_E4M3", "F8_E5M2", "F16", "I64", "BOOL", "X", ""))
    elif kind == 1:
        header[name]["shape"] = random.choice(([], [0], [2**40], [-1], [1, 1], "x"))
    elif kind == 2:
        del header[name]
    elif kind == 3:
        header["../x\n\x1b[2J"] = header[name]
    else:
        header["__metadata__"] = random.choice((*ODD_VALUES, {"jaxdream_model": "x\x1b[2J"}))
    text = json.dumps(header).encode("utf-8", "backslashreplace")
    return struct.pack("<Q", len(text)) + text + content[8 + length :]
