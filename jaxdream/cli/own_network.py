"""``--model MODULE:FUNCTION``: a network from the user's own code."""

import difflib
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable, reason

if TYPE_CHECKING:
    from jaxdream.models.network import Network


def is_own(model: str) -> bool:
    """Whether ``--model`` names code, and not a network of jaxdream."""
    return ":" in model or "." in model  # a dot is in no name here: a colon was meant, or a file


def load_own(text: str, weights: str | None = None) -> "Network":
    """The network that a function gives; it is imported, and called without arguments.

    The current directory is the last place in which modules are looked for. The text is the
    network's name.

    Args:
        text: ``package.module:function``. The function gives a network of ``wrap`` or
            ``load_model``, or what ``wrap`` takes. It may also be such a network, or a Flax NNX
            module, itself.
        weights: of ``--weights``, which is not for these.

    Raises:
        JaxdreamError: there is no such module or function, it fails (says where), or it gives
            something else.
    """
    module_name, _, function_name = text.partition(":")
    if not all(name.isidentifier() for name in (*module_name.split("."), function_name)):
        raise JaxdreamError(
            f"--model {printable(text)!r}: give MODULE:FUNCTION, as in package.module:function, or "
            "a weight file by --weights"
        )
    if weights is not None:
        raise JaxdreamError(f"--weights is for jaxdream's networks: leave it out with {text}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    function = _find(text, module_name, function_name)
    from flax import nnx

    from jaxdream.models.network import Network
    from jaxdream.models.wrapping import wrap

    try:
        network = function if isinstance(function, Network | nnx.Module) else function()
        return network.with_name(text) if isinstance(network, Network) else wrap(network, name=text)
    except JaxdreamError as error:
        raise JaxdreamError(f"--model {text}: {error}") from error
    except (Exception, SystemExit) as error:
        raise _failed(text, error) from error


def _find(text: str, module_name: str, function_name: str) -> Any:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise _failed(text, error) from error
        raise JaxdreamError(
            f"--model {text}: there is no module {missing}, neither installed nor in the current "
            "directory"
        ) from None
    except (Exception, SystemExit) as error:
        raise _failed(text, error) from error
    function = getattr(module, function_name, None)
    if callable(function):
        return function
    known = [name for name, value in vars(module).items() if callable(value)]
    near = difflib.get_close_matches(function_name, known, n=1)
    hint = f": did you mean {near[0]}?" if near else ""
    raise JaxdreamError(f"--model {text}: {module_name} has no function {function_name}{hint}")


def _failed(text: str, error: BaseException) -> JaxdreamError:
    """The line about an error in the user's code, with the place in it."""
    calls = traceback.extract_tb(error.__traceback__)
    theirs = [
        call for call in calls if call.filename != __file__ and "importlib" not in call.filename
    ]
    where = (
        f" ({os.path.basename(theirs[-1].filename)}, line {theirs[-1].lineno})" if theirs else ""
    )
    if isinstance(error, SyntaxError):
        where = f" ({os.path.basename(error.filename or '')}, line {error.lineno})"
    line = f"{type(error).__name__}: {reason(error)}"
    return JaxdreamError(f"--model {text} fails: {line}{where}")
