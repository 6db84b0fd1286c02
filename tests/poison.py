"""A network that ends its process when it sees a certain picture."""

import os
import signal

import numpy as np

POISON = (255, 0, 255)  # the colour of the picture


def poisoned_network():
    """A wrapped network, which Ray can send to its workers."""
    import jaxdream as jd

    return jd.wrap(_compute, name="poisoned")


def _compute(x):
    import jax

    jax.debug.callback(_end_if_poisoned, x)
    return {"second": x[:, ::2, ::2] * x[:, 1::2, 1::2][:, :1]}


def _end_if_poisoned(x):
    for picture in np.asarray(x):
        if (picture == np.array(POISON) / 255).all():
            os.kill(os.getpid(), signal.SIGKILL)
