"""Runs published by their total of accelerators, whose prefill and decode are apart.

Dumps of such runs list the accelerators of all workers as tensor-parallel ranks. Where
the launch file is public, the split is read from it; else it is one of `splits`.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from dayrate import catalog
from dayrate.catalog.model import Attention, Mla, ModelSpec, Moe
from dayrate.catalog.store import rows
from dayrate.perf.deployment import Parallelism
from dayrate.perf.memory import weight_bytes_per_accelerator
from dayrate.units import DType
from dayrate.validation.configuration import Configuration, Split, Workers
from dayrate.validation.deployments import precision_of

__all__ = ["ranks_of", "splits", "with_pools"]

_SERVER_RANKS = 8
_LEAST_COLUMNS = 128  # of an expert on a rank: a block that FP8 weights are scaled by
_NOMINAL = 1.25  # lengths are drawn from 80 to 100 % of those of the launch file
_WEIGHTS_FRAC = 0.6  # of memory: a third is left for the cache


def with_pools(c: Configuration) -> Configuration:
    """Find out whether prefill and decode run apart, and how they share accelerators.

    Runs that only launch files with drafted tokens list are predicted without drafts:
    how many were accepted is not published.
    """
    if c.prefill_apart or not _is_total(c):  # a row may state its own pools
        return c
    apart = dataclasses.replace(c, prefill_apart=True)
    fitting = [r for r in rows("pools") if _fits(r, apart)]
    if not fitting:
        return apart
    near = c.concurrency or 1.0
    nearest = min(fitting, key=lambda r: (_distance(r, near), "speculative" in r))
    requests = c.requests
    if "rounds" in nearest:
        requests = nearest["rounds"] * (c.concurrency or 1.0)
    cache = DType(nearest["kv_cache"]) if "kv_cache" in nearest else None
    return dataclasses.replace(
        apart,
        split=Split(_workers(nearest["prefill"]), _workers(nearest["decode"])),
        requests=requests,
        kv_cache=c.kv_cache or cache,
    )


def splits(c: Configuration) -> list[Split]:
    """List the ways an operator would divide accelerators of an unpublished split.

    Prefill workers are as small as hold the model, since prompts need no company; the
    rest decodes, as workers of that size or of whole servers, or as one wide group of
    attention-data ranks where the cache has no heads to share out.
    """
    wide = _is_latent(catalog.model(c.model))
    ranks = _fewest(c, wide)
    found = []
    for used in range(ranks, c.accelerators, ranks):
        if c.prefill_accelerators in {None, used}:
            prefill = Workers(used // ranks, ranks, wide)
            rest = c.accelerators - used
            found += [Split(prefill, d) for d in _decoders(rest, ranks, wide)]
    if not found:  # too few accelerators for two pools of that size
        half = max(c.accelerators // 2, 1)
        used = c.prefill_accelerators or half
        rest = max(c.accelerators - used, 1)
        found = [Split(Workers(1, used, wide), Workers(1, rest, wide))]
    return found


def ranks_of(model: ModelSpec, workers: Workers) -> tuple[int, int, int]:
    """Tensor, expert and attention-data ranks of each worker."""
    expert = workers.ranks if model.is_moe else 1
    if workers.attention_data:
        return 1, expert, workers.ranks
    return workers.ranks, expert, 1


def _is_latent(model: ModelSpec) -> bool:
    """Whether the cache is one latent per token, which heads cannot share out."""
    return any(isinstance(b.mixer, Mla) for b in model.blocks)


def _is_total(c: Configuration) -> bool:
    """Whether ``tensor`` ranks of a closed loop cannot be one tensor-parallel group.

    Heads must divide among the ranks, and a rank's part of an expert must not be
    narrower than a block of scales.
    """
    closed = c.scenario == "online" and c.request_rate is None
    alone = c.pipeline == c.expert == c.attention_data == 1
    if not closed or not alone or (c.tensor or 1) <= _SERVER_RANKS:
        return False
    ranks = c.tensor or 1
    return any(
        heads % ranks or columns / ranks < _LEAST_COLUMNS
        for heads, columns in _shared_out(catalog.model(c.model))
    )


def _shared_out(model: ModelSpec) -> Iterator[tuple[int, float]]:
    """Heads of each block, and columns of a routed expert."""
    for b in model.blocks:
        heads = b.mixer.n_heads if isinstance(b.mixer, Attention | Mla) else 0
        moe = isinstance(b.mlp, Moe)
        yield heads, b.mlp.intermediate_size if moe and b.mlp else math.inf


def _fits(row: Mapping[str, Any], c: Configuration) -> bool:
    """Whether a launch file is of this engine, machine, model and these lengths."""
    total = sum(row[p]["workers"] * row[p]["ranks"] for p in ("prefill", "decode"))
    if total != c.accelerators or c.accelerator_id != row["accelerator"]:
        return False
    model = catalog.model(c.model)
    lengths = (
        (row["input_tokens"], c.input_tokens),
        (row["output_tokens"], c.output_tokens),
    )
    return (
        c.engine.lower().startswith(row["engine"])
        and (c.weights or model.weights_dtype) is DType(row["weights"])
        and all(x <= _NOMINAL * y and y <= _NOMINAL * x for x, y in lengths)
        and model.blocks == catalog.model(row["model"]).blocks
    )


def _distance(row: Mapping[str, Any], concurrency: float) -> float:
    return min(abs(math.log(n / concurrency)) for n in row["concurrency"])


def _workers(cells: Mapping[str, Any]) -> Workers:
    return Workers(
        count=cells["workers"],
        ranks=cells["ranks"],
        attention_data=cells["attention_data"],
        max_tokens=cells.get("max_tokens"),
        max_batch=cells.get("max_batch"),
    )


def _decoders(rest: int, ranks: int, wide: bool) -> list[Workers]:
    """Ways to decode on the rest; each fills it."""
    sizes = [n for n in sorted({ranks, _SERVER_RANKS}) if n >= ranks and rest % n == 0]
    found = [Workers(rest // n, n, attention_data=False) for n in sizes]
    return [*found, Workers(1, rest, attention_data=True)] if wide else found


def _fewest(c: Configuration, wide: bool) -> int:
    """Fewest ranks of a prefill worker, a power of two, that hold the weights."""
    model, precision = catalog.model(c.model), precision_of(c)
    room = catalog.accelerator(c.accelerator_id).hbm_bytes * _WEIGHTS_FRAC
    ranks = 1
    while ranks * 4 <= c.accelerators:
        tensor, expert, data = ranks_of(model, Workers(1, ranks, wide))
        split = Parallelism(tensor=tensor, expert=expert, attention_data=data)
        if weight_bytes_per_accelerator(model, split, precision) <= room:
            break
        ranks *= 2
    return ranks
