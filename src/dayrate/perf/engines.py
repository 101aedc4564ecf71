"""Serving engines that a deployment may name, as their newest era runs."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput, did_you_mean
from dayrate.perf.tuning import engine_row

__all__ = ["DEFAULT_ENGINE", "ServedBy", "engine_names", "served_by"]

#: The most used engine, taken where none is named.
DEFAULT_ENGINE = "vllm"


@dataclass(frozen=True, slots=True)
class ServedBy:
    """The newest era of an engine, and what it admits unless told otherwise.

    Parameters
    ----------
    id : str
        What a deployment calls it.
    name : str
        As its makers write it.
    era : str
        Id of the row of the engines' data, which calibration goes by.
    max_num_seqs, max_num_batched_tokens : int
        Sequences and tokens of a step.
    gpu_memory_utilization, free_memory_frac : float
        Share of the memory it uses, and of what is left there that its cache gets. [1]
    chunked_prefill : bool
        Whether long prompts are computed in parts, beside decoding.
    submitted_tokens : float
        Tokens of a prompt after which a pipeline drains. [token]
    reserves_output : bool
        Whether a request is admitted only where its whole answer has room.
    """

    id: str
    name: str
    era: str
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    free_memory_frac: float
    chunked_prefill: bool
    submitted_tokens: float
    reserves_output: bool


@functools.cache
def engine_names() -> tuple[str, ...]:
    """List the engines that a deployment may name.

    Returns
    -------
    tuple of str
        In the order of the data.

    Examples
    --------
    >>> "vllm" in engine_names()
    True

    References
    ----------
    .. [1] ``data/engines/engines.yaml``: rows with a ``name``.
    """
    return tuple(_names())


def served_by(engine: str) -> ServedBy:
    """Look an engine up, however its name is capitalised.

    Parameters
    ----------
    engine : str
        One of `engine_names`.

    Returns
    -------
    ServedBy
        Its newest era.

    Raises
    ------
    InvalidInput
        No such engine.

    Examples
    --------
    >>> served_by("vLLM").max_num_seqs
    1024

    References
    ----------
    .. [1] ``data/engines/engines.yaml``, each row with its source.
    """
    id = engine.strip().lower()
    if id not in _names():
        close = did_you_mean(id, _names())
        hint = f" Did you mean {close}?" if close else ""
        raise InvalidInput(
            f"engine is {engine!r}; give one of {', '.join(_names())}.{hint}"
        )
    name = _names()[id]
    row = engine_row(name, "")
    return ServedBy(
        id=id,
        name=name,
        era=row["id"],
        max_num_seqs=row["max_num_seqs"],
        max_num_batched_tokens=row["max_num_batched_tokens"],
        gpu_memory_utilization=row["gpu_memory_utilization"],
        free_memory_frac=row.get("free_memory_frac", 1.0),
        chunked_prefill=row["chunked_prefill"],
        submitted_tokens=float(row.get("submitted_tokens", "inf")),
        reserves_output=row["reserves_output"],
    )


@functools.cache
def _names() -> Mapping[str, str]:
    """Map what users write to what the makers do."""
    named = [r["name"] for r in rows("engines") if "name" in r]
    return MappingProxyType({name.lower(): name for name in named})
