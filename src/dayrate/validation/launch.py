"""How a published benchmark launched its server, where its scripts are public.

Tables of results state lengths and loads, and little of the server. What the scripts of
the benchmark set and a measured time depends on is data here, with path and commit.
"""

import contextlib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.errors import DayrateError
from dayrate.units import DType

__all__ = ["DEFAULTS", "Launch", "launch_of"]


@dataclass(frozen=True, slots=True)
class Launch:
    """Settings that differ from the engine's defaults; None is the default.

    Parameters
    ----------
    max_num_batched_tokens : float or None
        Tokens of one step. [token]
    kv_cache : DType or None
        Format of the cache.
    poll_steps : float
        Decode steps from one look at the queue of new requests to the next. [1]
    gpu_memory_utilization, free_memory_frac : float or None
        As in `dayrate.serving.replica.Engine`. [1]
    """

    max_num_batched_tokens: float | None = None
    kv_cache: DType | None = None
    poll_steps: float = 1.0
    gpu_memory_utilization: float | None = None
    free_memory_frac: float | None = None


#: Nothing but the engine's own settings.
DEFAULTS = Launch()
#: Whose scripts these are: a row's source names it.
_PUBLISHER = "InferenceX"


def launch_of(
    row: Mapping[str, str],
    accelerator_id: str,
    weights: DType | None,
    *,
    input_tokens: float,
    concurrency: float | None,
) -> Launch:
    """Find the settings of a row of a closed loop, or the engine's defaults.

    Parameters
    ----------
    row : mapping of str to str
        Cells of a table; source, model, engine, month and how requests came are read.
    accelerator_id : str
        Catalogue id.
    weights : DType or None
        Format as the row states it; without it nothing is found.
    input_tokens : float
        Nominal length of a prompt: scripts scale the tokens of a step with it. [token]
    concurrency : float or None
        Requests in flight: scripts poll less often where there are many. [1]

    Returns
    -------
    Launch
        Of the last script that had begun by the row's month, else of the first; of the
        last where the row has no date.

    Examples
    --------
    >>> row = {
    ...     "source": "InferenceX", "model": "deepseek-ai/DeepSeek-R1",
    ...     "engine": "SGLang", "date": "2026-01-15", "request_rate": "closed-loop",
    ... }
    >>> for n in (8, 64):
    ...     found = launch_of(
    ...         row, "b200-sxm-180gb", DType.FP8, input_tokens=1024, concurrency=n
    ...     )
    ...     print(found.max_num_batched_tokens, found.poll_steps)
    32768.0 10.0
    32768.0 30.0

    References
    ----------
    .. [1] ``data/harness/inferencex.yaml``: each script with its path and commit.
    """
    if _PUBLISHER not in row["source"] or row["request_rate"] != "closed-loop":
        return DEFAULTS
    if weights is None or concurrency is None:
        return DEFAULTS
    engine = row["engine"].lower()
    known = [r for r in _launches(row["model"]) if _fits(r, accelerator_id, weights)]
    known = [r for r in known if engine.startswith(r["engine"])]
    found = _at(known, row["date"][:7])
    return DEFAULTS if found is None else _read(found, input_tokens, concurrency)


@functools.cache
def _launches(model: str) -> tuple[Mapping[str, Any], ...]:
    names = {model}
    with contextlib.suppress(DayrateError):  # unknown: said where it is predicted
        names.add(catalog.model(model).id)
    return tuple(r for r in rows("harness") if names & set(r["models"]))


def _fits(row: Mapping[str, Any], accelerator_id: str, weights: DType) -> bool:
    return accelerator_id in row["accelerators"] and row["weights"] == weights.value


def _at(known: Iterable[Mapping[str, Any]], month: str) -> Mapping[str, Any] | None:
    """Take the last that had begun by a month, else the first; undated: the last."""
    ordered = sorted(known, key=lambda r: str(r.get("since", "")))
    begun = [r for r in ordered if not month or str(r.get("since", "")) <= month]
    return begun[-1] if begun else next(iter(ordered), None)


def _read(row: Mapping[str, Any], input_tokens: float, concurrency: float) -> Launch:
    tokens = row.get("max_num_batched_tokens")
    if "batched_tokens_per_input_token" in row:
        tokens = row["batched_tokens_per_input_token"] * input_tokens
    polls = [
        p["steps"]
        for p in row.get("polls", ())
        if concurrency < p.get("below_concurrency", float("inf"))
    ]
    return Launch(
        max_num_batched_tokens=None if tokens is None else float(tokens),
        kv_cache=DType(row["kv_cache"]) if "kv_cache" in row else None,
        poll_steps=float(polls[0]) if polls else 1.0,
        gpu_memory_utilization=row.get("gpu_memory_utilization"),
        free_memory_frac=row.get("free_memory_frac"),
    )
