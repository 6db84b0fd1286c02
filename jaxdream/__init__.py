"""DeepDream in JAX: the look of 2015, from pretrained Inception networks.

The pixel convention everywhere outside a network: float32, RGB, (h, w, 3), 0..255. Names are
imported when first used (``__init__.pyi`` lists them), so that ``import jaxdream`` and
``jaxdream --help`` are immediate.
"""

import lazy_loader

_lazy_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str):
    if name == "__version__":
        from jaxdream.files.version import jaxdream_version

        return jaxdream_version()
    return _lazy_attribute(name)
