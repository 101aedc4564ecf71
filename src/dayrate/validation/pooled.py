"""Configurations whose prefill and decode run apart, as two stacked replicas."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dayrate import catalog
from dayrate.perf.tuning import QUANTITIES
from dayrate.serving.disaggregated import Pools, disaggregated_loop, kv_transfer_s
from dayrate.serving.runs import Run
from dayrate.validation.calibration import Shipped
from dayrate.validation.configuration import Configuration, Split, Workers
from dayrate.validation.deployments import Deployments, stack, tuned
from dayrate.validation.pools import ranks_of, splits

__all__ = ["best_splits", "run_apart", "stack_apart"]

Floats = npt.NDArray[np.float64]


def stack_apart(members: Sequence[Configuration]) -> Deployments:
    """Stack configurations: what decodes, with what prefills beside it."""
    divided = best_splits(members)
    pairs = list(zip(members, divided, strict=True))
    prefill = _with_tokens(
        stack([_pool(c, s.prefill) for c, s in pairs]), [s.prefill for s in divided]
    )
    decode = stack([_pool(c, s.decode) for c, s in pairs])
    return dataclasses.replace(
        decode,
        prefill=prefill,
        accelerators=np.array([c.accelerators for c in members], dtype=float),
    )


def run_apart(d: Deployments) -> Run:
    """Run a closed loop; the rate is that of one decode replica.

    Caches move over the scale-up link where it reaches all accelerators, else over
    the network, each accelerator sending its own part.

    Raises
    ------
    ValueError
        Nothing prefills.
    """
    if d.prefill is None:
        raise ValueError("nothing prefills: stack with stack_apart")
    replica = d.prefill.replica
    machine = replica.machine
    near = d.accelerators <= machine.link_world_size
    link_bytes_per_s = machine.link_bytes_per_s * machine.relay_frac
    link_s = machine.link_latency_s + machine.relay_s
    transfer_s = kv_transfer_s(
        replica,
        d.traffic.input_tokens,
        bytes_per_s=np.where(near, link_bytes_per_s, machine.node_bytes_per_s),
        latency_s=np.where(near, link_s, machine.node_latency_s),
    )
    pools = Pools(replica, d.replica, d.prefill.replicas, d.replicas, transfer_s)
    run = disaggregated_loop(pools, d.traffic, d.concurrency, d.slots, d.requests)
    return dataclasses.replace(run, requests_per_s=run.requests_per_s / d.replicas)


def best_splits(members: Sequence[Configuration]) -> list[Split]:
    """Take splits as published, else those with the most throughput.

    That is how those choose who publish the best of many runs. As the shipped
    calibration runs it, so that a choice does not change while factors are fitted.
    """
    options = {c: splits(c) for c in members if c.split is None}
    each = [
        dataclasses.replace(c, split=s, requests=np.inf)
        for c, some in options.items()
        for s in some
    ]
    rate = iter(_requests_per_s(each) if each else ())
    best = {
        c: max((next(rate), -i) for i in range(len(some)))[1]
        for c, some in options.items()
    }
    return [c.split or options[c][-best[c]] for c in members]


def _requests_per_s(members: Sequence[Configuration]) -> Floats:
    """Throughput of whole systems under the shipped calibration. [1/s]"""
    shipped = Shipped()
    each = [shipped.factor(c) for c in members]
    factor = {q: np.array([f[q] for f in each]) for q in QUANTITIES}
    deployed = tuned(stack_apart(members), factor)
    found: Floats = np.asarray(run_apart(deployed).requests_per_s) * deployed.replicas
    return found


def _pool(c: Configuration, workers: Workers) -> Configuration:
    """Describe a pool as if it were the whole system."""
    tensor, expert, data = ranks_of(catalog.model(c.model), workers)
    return dataclasses.replace(
        c,
        accelerators=workers.accelerators,
        tensor=tensor,
        expert=expert,
        attention_data=data,
        max_batch=workers.max_batch or c.max_batch,
    )


def _with_tokens(d: Deployments, workers: Sequence[Workers]) -> Deployments:
    """Give the engine the tokens of a step that workers state."""
    stated = np.array([w.max_tokens or np.nan for w in workers])
    engine = d.replica.engine
    tokens = np.where(np.isnan(stated), engine.max_num_batched_tokens, stated)
    engine = dataclasses.replace(engine, max_num_batched_tokens=tokens)
    return dataclasses.replace(d, replica=dataclasses.replace(d.replica, engine=engine))
