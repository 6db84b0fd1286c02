"""Random damage to bytes and to JSON."""

import json
import struct
from random import Random
from typing import Any

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**53, 2**63, 10**40, 0.5, -0.0, 1e-308, 1e308,
    float("nan"), float("inf"), "", "x", "\x1b]0;x\x07", "a\nb", "\ud800", "x" * 20_000,
    "../../outside/victim.txt", "/dev/zero", [], {}, [[]], ["x", 1], {"x": {"x": None}},
)  # fmt: skip
ODD_TEXTS = (
    "", " ", "-", "--", "-1", "0", "1", "2", "1e99", "1e400", "-1e99", "nan", "inf", "-inf", "1_0",
    "0x10", "1000000000", "10000000000000000000000", "1.0000001", "\u0661", "None", "True", "x",
    "a b",
    "\x1b]0;x\x07", "a\nb", "\r", "\u202e", "../outside/victim.txt", "/dev/zero", "/dev/full",
    "/dev/null", "/", ".", "..", "~", "*", "@x", "x" * 300, "x" * 5000, "a/" * 200, "photo.png",
    "1x1", "0x0", "99999x99999", "1x99999999999", "50%", "500MB", "1TB", "-5GB",
)  # fmt: skip


def damaged(content: bytes, random: Random) -> bytes:
    """The bytes with one to four kinds of damage."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        at = random.randrange(len(data))
        # Headers are where it hurts.
        at = min(at, random.choice((16, 64, 512, at, at)))
        kind = random.randrange(8)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            end = min(len(data), at + random.choice((1, 4, 64, 4096)))
            data[at:end] = bytes(end - at)
        elif kind == 3:
            order = random.choice("<>")
            data[at : at + 4] = struct.pack(f"{order}I", random.choice(_NUMBERS))
        elif kind == 4:
            data[at:at] = random.randbytes(random.choice((1, 3, 100)))
        elif kind == 5:
            del data[at : at + random.choice((1, 4, 100))]
        elif kind == 6:
            other = random.randrange(len(data))
            data[at : at + 32] = data[other : other + 32]
        else:
            data += data[at:]
    return bytes(data)


def odd_json(values: Any, random: Random) -> str:
    """JSON of values of which some are changed, missing, or too many."""
    kind = random.randrange(12)
    if kind == 0:
        return "[" * 50_000
    if kind == 1:
        return damaged(json.dumps(values).encode(), random).decode("latin-1")
    if kind == 2:
        return json.dumps(random.choice(ODD_VALUES))
    values = json.loads(json.dumps(values))
    for _ in range(random.choice((1, 1, 2))):
        if not isinstance(values, dict) or not values:
            break
        name = random.choice(list(values))
        if kind == 3:
            del values[name]
        elif kind == 4:
            values[random.choice(("x", "a\nb", "\x1b[2J", "__class__"))] = random.choice(ODD_VALUES)
        elif isinstance(values[name], dict) and values[name] and random.random() < 0.7:
            inner = random.choice(list(values[name]))
            values[name][inner] = random.choice(ODD_VALUES)
        elif isinstance(values[name], list) and values[name] and random.random() < 0.5:
            values[name][random.randrange(len(values[name]))] = random.choice(ODD_VALUES)
        elif isinstance(values[name], int) and random.random() < 0.3:
            values[name] += random.choice((-1, 1, 2**30))
        else:
            values[name] = random.choice(ODD_VALUES)
    return json.dumps(values)
