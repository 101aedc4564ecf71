"""The event loop compiled: the very same functions, by numba.

Compiling takes about a minute, so the machine code is kept in the user's cache
folder, under a name that changes with the source, the interpreter and numba.
"""

import functools
import hashlib
import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.serving.simulator import (
    coming,
    core,
    heap,
    lookup,
    memory,
    queueing,
    routing,
    skipping,
    state,
)
from dayrate.serving.simulator.state import State

__all__ = ["compiled_core"]

_MODULES = (state, lookup, heap, coming, memory, queueing, skipping, core, routing)
_ENTRIES = frozenset({"advance", "route"})
#: Inlined into their callers: else each call copies what the named tuples hold.
_HOT = frozenset({"append", "attach", "leave_queue", "release", "remove", "take"})
_HOT_TOO = frozenset({"decode_series", "give_slot", "step_s", "take_slot"})
_HOT_STEPS = frozenset({"blocks_between", "clock_after", "pass_time", "steps_at_once"})
_RARE = frozenset({"_cancel", "_evict", "_preempt", "_turn_away"})
_RARE_TOO = frozenset({"_share", "_skip_cancelled", "_unlink", "_unuse", "_use"})


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

    Notes
    -----
    Nothing is allocated in the loop, so numba's counting of references, which takes
    several times as long as the loop itself, is off.

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
    for module in _MODULES:
        names.update(vars(module))
    names["_replica_at"] = _row
    kept = _stand_in(numba.__version__)
    for name, f in list(names.items()):
        if isinstance(f, types.FunctionType):
            code = f.__code__
            if kept is not None:
                code = code.replace(co_filename=str(kept))
            names[name] = numba.njit(
                types.FunctionType(code, names, name),
                error_model="numpy",
                forceinline=_inlined(name),
                cache=kept is not None and name in _ENTRIES,
                _nrt=False,
            )
    return names


def _inlined(name: str) -> bool:
    hot = name.startswith("_") or name in _HOT | _HOT_TOO | _HOT_STEPS
    return hot and name not in _RARE | _RARE_TOO


def _stand_in(version: str) -> Path | None:
    """File beside which numba keeps the machine code; None where none can be made.

    numba looks at the age of one source file; the loop has several, so they are told
    apart by a digest of all.
    """
    digest = hashlib.sha256(f"{sys.version} {version}".encode())
    for name in (*(m.__file__ for m in _MODULES), __file__):
        digest.update(Path(str(name)).read_bytes())
    path = _cache_folder() / f"simulator-{digest.hexdigest()[:16]}" / "loop.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("# machine code of dayrate's simulator is beside this\n")
    except OSError:
        return None
    return path


def _cache_folder() -> Path:
    if sys.platform == "win32":
        found = os.environ.get("LOCALAPPDATA")
    else:
        found = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(found) if found else Path.home() / ".cache") / "dayrate"
    except RuntimeError:  # a user without a home
        return Path(os.devnull) / "dayrate"


def _row(states: State, r: int) -> State:
    return State(
        states.n[r],
        states.x[r],
        states.request[r],
        states.need[r],
        states.left[r],
        states.due[r],
        states.chain[r],
        states.shared[r],
        states.sooner[r],
        states.later[r],
        states.ends[r],
        states.grows[r],
        states.batch[r],
        states.heap[r],
        states.cancels[r],
        states.coming[r],
        states.users[r],
        states.older[r],
        states.newer[r],
        states.samples[r],
    )
