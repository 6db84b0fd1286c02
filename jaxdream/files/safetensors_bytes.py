"""Arrays as the bytes of a safetensors file, the same whenever they are made."""

import json
import struct
from collections.abc import Mapping

import numpy as np


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file.

    The library writes metadata in any order; here it is that of their names.
    """
    from safetensors.numpy import save

    content = save(dict(arrays), dict(metadata))
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    # Blanks at its end, as the library has them, keep the arrays aligned.
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]
