"""Times steps of one installation of jaxdream: a program of its own, run by ``against.py``.

    python -P scripts/benchmark/step_probe.py MODEL [WEIGHTS]

It uses only what all versions of jaxdream have in common. Every line of its input is a request, the
path of a picture and a number of steps in JSON; it dreams one octave and answers with the seconds
that took. The first request for a size includes the compilation. Its first line of output tells
which installation this is.
"""

import json
import os
import sys
import time
from importlib.metadata import version


def main() -> None:
    """Answer requests until the input ends."""
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import jax
    import numpy as np
    from PIL import Image

    import jaxdream

    name, *weights = sys.argv[1:]
    model = jaxdream.load_model(name, weights=weights[0] if weights else None)
    packages = {package: version(package) for package in ("jax", "jaxlib", "flax")}
    print(json.dumps({"location": jaxdream.__file__, "versions": packages}), file=answers)
    for line in sys.stdin:
        path, steps = json.loads(line)
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32)
        start = time.perf_counter()
        dreamed = jaxdream.dream(jax.random.key(0), model, pixels, octaves=1, steps=steps)
        jax.block_until_ready(dreamed)
        print(json.dumps(time.perf_counter() - start), file=answers)


if __name__ == "__main__":
    main()
