"""Many pictures on many machines, by Ray Data: ``jaxdream batch --cluster``, and for Ray datasets.

It needs ``pip install 'jaxdream[cluster]'``. Nothing of Ray is imported before it is used.
"""

from jaxdream.cluster.datasets import Dreamer, dream_dataset
from jaxdream.cluster.run import dream_places

__all__ = ["Dreamer", "dream_dataset", "dream_places"]
