"""Seconds of one step of a replica, by part and by operator."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dayrate.catalog.model import ModelSpec
from dayrate.perf.blocks import step_operators, step_transfers
from dayrate.perf.collectives import Transfer, TransferKind
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import Efficiency
from dayrate.perf.operators import Rank, StepShape
from dayrate.perf.parallel import accelerator_rank, layer_imbalance
from dayrate.units import Num

__all__ = ["StepTime", "step_time"]

#: Processors that send and receive: 20 of the 132 of an H800.
_SENDING_FRAC = 20 / 132


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of a step; the total is the sum of the parts and of the operators.

    ``compute_s`` and ``memory_s`` hold the operators that arithmetic or bandwidth
    bounds, ``overhead_s`` the fixed time of kernels and of the engine.
    """

    compute_s: Num
    memory_s: Num
    collective_s: Num
    overhead_s: Num
    by_operator_s: Mapping[str, Num]

    @property
    def total_s(self) -> Num:
        """Sum of the parts. [s]"""
        return self.compute_s + self.memory_s + self.collective_s + self.overhead_s


def step_time(
    model: ModelSpec,
    machine: Machine,
    parallelism: Parallelism,
    precision: Precision,
    shape: StepShape,
    *,
    efficiency: Efficiency,
) -> StepTime:
    r"""Time in which every decoding sequence gets a token and the prefill is done.

    Parameters
    ----------
    model : ModelSpec
        The model.
    machine : Machine
        Peaks, bandwidths, links.
    parallelism : Parallelism
        How the replica is spread.
    precision : Precision
        Number formats.
    shape : StepShape
        The replica's step.
    efficiency : Efficiency
        Calibrated shares of the peaks.

    Returns
    -------
    StepTime
        By part and by operator.

    Notes
    -----
    Operators and collectives follow one another, except that engines which spread
    experts over servers run two half batches in turn: one computes while the other
    exchanges tokens [2]_. With pipeline stages
    the step is that of one micro-batch through all of them; as many micro-batches as
    stages are under way, so the replica does a whole step in that time. The slowest
    stage sets the pace (`layer_imbalance`).

    Examples
    --------
    >>> from dayrate.perf.efficiency import load_efficiency
    >>> from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
    >>> efficiency = load_efficiency("h100-sxm-80gb", "hopper")
    >>> shape = StepShape(
    ...     decode_sequences=64, decode_context_tokens=1000, logit_sequences=64
    ... )
    >>> t = step_time(LLAMA_3_1_70B, H100, TP8, BF16, shape, efficiency=efficiency)
    >>> bool(0.005 < t.total_s < 0.020)
    True

    References
    ----------
    .. [1] S. Williams et al., "Roofline", CACM 52(4), 2009.
    .. [2] DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, arXiv:2412.19437, 3.4.
    """
    rank = accelerator_rank(model, parallelism, precision, shape)
    compute: Num = 0.0
    memory: Num = 0.0
    fixed: Num = 0.0
    collective: Num = 0.0
    by_operator: dict[str, Num] = defaultdict(float)
    for op in step_operators(model, rank):
        time = efficiency.operator_time(op, machine)
        compute, memory = compute + time.compute_s, memory + time.memory_s
        fixed = fixed + time.fixed_s
        by_operator[op.name] = by_operator[op.name] + time.total_s
    for transfer in step_transfers(model, rank, machine):
        seconds = efficiency.transfer_s(transfer, machine)
        if transfer.kind is TransferKind.ALL_TO_ALL:
            seconds = _exposed_s(transfer, seconds, compute, memory)
        collective = collective + seconds
        by_operator[transfer.name] = by_operator[transfer.name] + seconds
    by_operator["host"] = _host_s(model, rank, efficiency)
    pace = layer_imbalance(model, parallelism)
    return StepTime(
        compute_s=compute * pace,
        memory_s=memory * pace,
        collective_s=collective * pace,
        overhead_s=(fixed + by_operator["host"]) * pace,
        by_operator_s={name: s * pace for name, s in by_operator.items()},
    )


def _exposed_s(transfer: Transfer, seconds: Num, compute_s: Num, memory_s: Num) -> Num:
    """Time of an all-to-all that arithmetic of another half batch does not hide.

    Each half reads the weights again, so arithmetic hides what it takes longer than
    memory traffic does. What is hidden still takes its share of the processors.
    """
    spare = np.maximum(compute_s - memory_s, 0.0)
    hidden = np.where(np.asarray(transfer.node_hops) > 0, spare, 0.0)
    hidden = np.minimum(hidden, seconds)
    return seconds - (1.0 - _SENDING_FRAC) * hidden


def _host_s(model: ModelSpec, rank: Rank, efficiency: Efficiency) -> Num:
    """Time of the engine itself, for a step that does anything."""
    host = efficiency.host
    uncaptured = host.prefill_layer_s * np.minimum(rank.shape.prefill_tokens, 1.0)
    once = host.step_s + (host.layer_s + uncaptured) * model.n_layers
    sequences = rank.shape.logit_sequences
    if model.is_encoder:  # which scores every token of a sequence
        sequences = sequences / np.maximum(rank.shape.prefill_prompt_tokens, 1.0)
    return once * np.minimum(rank.shape.tokens, 1.0) + host.sequence_s * sequences
