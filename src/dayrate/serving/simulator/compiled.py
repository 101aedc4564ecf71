"""The event loop compiled: the very same functions, by numba."""

import functools
import importlib
import types
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.serving.simulator import core, lookup, memory, routing

__all__ = ["compiled_core"]


@functools.cache
def compiled_core() -> dict[str, Any]:
    """Compile each function of the loop; they find one another by name.

    Returns
    -------
    dict
        Functions by name.

    Raises
    ------
    InvalidInput
        numba is not installed.

    Examples
    --------
    >>> from importlib.util import find_spec
    >>> find_spec("numba") is None or "advance" in compiled_core()
    True

    References
    ----------
    .. [1] S. K. Lam, A. Pitrou, S. Seibert, "Numba", LLVM-HPC 2015.
    """
    try:
        numba = importlib.import_module("numba")  # an extra
    except ImportError as e:
        raise InvalidInput(
            "The compiled engine needs numba: pip install 'dayrate[fast]', or take "
            "the interpreted one (python)."
        ) from e
    names: dict[str, Any] = {}
    for module in (lookup, memory, core, routing):
        names.update(vars(module))
    for name, f in list(names.items()):
        if isinstance(f, types.FunctionType):
            names[name] = numba.njit(
                types.FunctionType(f.__code__, names, name),
                error_model="numpy",
                forceinline=name.startswith("_"),
            )
    return names
