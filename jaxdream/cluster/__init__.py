"""Work on many machines, by Ray: what ``--cluster`` does, and for Ray datasets.

It needs ``pip install 'jaxdream[cluster]'``. Nothing of Ray is imported before it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "datasets": ["Dreamer", "dream_dataset"],
        "run": ["dream_places"],
        "unit_runs": ["examples_of_files", "visualize_units"],
        "scenes": ["SceneFrames"],
        "videos": ["dream_scenes"],
    },
)
