"""What each part does in a phase: FLOPs, bytes, seconds, joules, dollars."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dayrate.anatomy.parts import ENGINE, EXCHANGE, Key, key_of
from dayrate.catalog.model import Attention, Block, ModelSpec
from dayrate.energy.power import ActivityPower, active_power_w
from dayrate.perf.blocks import OperatorGroup, operator_groups
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import Efficiency
from dayrate.perf.operators import Operator, OpKind, StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.perf.readout import readout_operators
from dayrate.perf.step import step_time
from dayrate.units import HOUR_S, Num

__all__ = [
    "Call",
    "Hardware",
    "Work",
    "by_part",
    "eager_matmul_flop",
    "phase_calls",
    "total",
]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What turns work into seconds, joules and dollars; None is unknown.

    ``usd_per_hour`` is the price of one accelerator. [USD/h]
    """

    machine: Machine
    efficiency: Efficiency
    tdp_w: float | None
    shares: ActivityPower
    usd_per_hour: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """Work of all accelerators together, and the seconds it takes them side by side.

    ``matmul_flop`` counts matrix products and attention, ``other_flop`` one for each
    value that anything else reads or writes.
    """

    matmul_flop: float = 0.0
    other_flop: float = 0.0
    weight_bytes: float = 0.0
    activation_bytes: float = 0.0
    kv_bytes: float = 0.0
    seconds: float | None = None
    joules: float | None = None
    usd: float | None = None

    @property
    def flop(self) -> float:
        """All operations. [FLOP]"""
        return self.matmul_flop + self.other_flop

    @property
    def bytes(self) -> float:
        """All traffic with the accelerators' memory. [B]"""
        return self.weight_bytes + self.activation_bytes + self.kv_bytes

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.matmul_flop + other.matmul_flop,
            self.other_flop + other.other_flop,
            self.weight_bytes + other.weight_bytes,
            self.activation_bytes + other.activation_bytes,
            self.kv_bytes + other.kv_bytes,
            _sum(self.seconds, other.seconds),
            _sum(self.joules, other.joules),
            _sum(self.usd, other.usd),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One operator in a phase: its matrix on one accelerator, and its work.

    ``times`` is how often it is called in the phase, ``rows`` how many tokens share
    one call, over all steps of the phase.
    """

    key: Key
    name: str
    kind: str
    times: float
    rows: float
    sides: tuple[float, float] | None
    work: Work


def phase_calls(
    model: ModelSpec,
    parallelism: Parallelism,
    precision: Precision,
    shape: StepShape,
    hardware: Hardware | None,
) -> list[Call]:
    """List what is executed in all steps of ``shape``, which may hold arrays.

    Their sums are those of `dayrate.perf.step.step_time` over the same steps.
    """
    rank = accelerator_rank(model, parallelism, precision, shape)
    steps = _steps(shape)
    ranks = float(parallelism.accelerators)
    timed = [
        _call(op, key_of(op.name, group), steps, ranks, hardware)
        for group, ops in _numbered(operator_groups(model, rank))
        for op in ops
    ]
    untimed = [
        _call(op, key_of(op.name, None), steps, ranks, None)
        for op in readout_operators(model, rank)
    ]
    calls = [c for c in (*timed, *untimed) if c.rows > 0]
    if hardware is None:
        return calls
    known = {op.name for _, ops in operator_groups(model, rank) for op in ops}
    spent = step_time(
        model,
        hardware.machine,
        parallelism,
        precision,
        shape,
        efficiency=hardware.efficiency,
    ).by_operator_s
    return calls + [
        _wait(name, float(np.sum(_spread(s, steps))), ranks, hardware)
        for name, s in spent.items()
        if name not in known
    ]


def eager_matmul_flop(
    model: ModelSpec, parallelism: Parallelism, precision: Precision, shape: StepShape
) -> float:
    """Matrix products as code without fused attention does them, masked pairs too.

    For a prompt, such code multiplies every query with every key and then hides those
    that a mask forbids: about twice the attention of a long prompt. Encoders have no
    such mask, and a step that only decodes has nothing to hide.
    """
    causal = not any(b.encoder for b in model.blocks)
    if causal and np.any(np.asarray(shape.prefill_tokens) > 0):
        seen = 2.0 * shape.prefill_context_tokens - 1.0  # from the mean to the whole
        shape = dataclasses.replace(shape, prefill_context_tokens=seen)
        model = dataclasses.replace(model, blocks=tuple(map(_windowless, model.blocks)))
    return total(phase_calls(model, parallelism, precision, shape, None)).matmul_flop


def _windowless(block: Block) -> Block:
    if not isinstance(block.mixer, Attention):
        return block
    mixer = dataclasses.replace(block.mixer, window_tokens=None)
    return dataclasses.replace(block, mixer=mixer)


def by_part(calls: Iterable[Call]) -> Mapping[Key, Work]:
    """Sum the work of each part."""
    parts: dict[Key, Work] = {}
    for call in calls:
        parts[call.key] = parts.get(call.key, Work()) + call.work
    return parts


def total(calls: Iterable[Call]) -> Work:
    """Sum the work of calls."""
    return sum((c.work for c in calls), start=Work())


def _numbered(
    groups: list[OperatorGroup],
) -> list[tuple[int | None, list[Operator]]]:
    """Give each group of layers its number, and none to what lies outside."""
    last = len(groups) - 1
    return [
        (None if i in {0, last} else i - 1, ops) for i, (_, ops) in enumerate(groups)
    ]


def _steps(shape: StepShape) -> int:
    values = (getattr(shape, f.name) for f in dataclasses.fields(shape))
    return int(np.broadcast(*map(np.asarray, values)).size)


def _spread(value: Num, steps: int) -> Num:
    """Give a value that is the same in every step once for each."""
    array = np.asarray(value, dtype=float)
    return np.broadcast_to(array, (steps,)) if array.ndim == 0 else array


def _call(
    op: Operator, key: Key, steps: int, ranks: float, hardware: Hardware | None
) -> Call:
    def all_calls(amount: Num) -> float:
        return ranks * float(np.sum(_spread(amount * op.count, steps)))

    runs = np.minimum(_spread(op.m_tokens, steps), 1.0)
    product = op.kind is not OpKind.ELEMENTWISE
    work = Work(
        matmul_flop=all_calls(op.flop) if product else 0.0,
        other_flop=0.0 if product else all_calls(op.flop),
        weight_bytes=all_calls(op.weight_bytes),
        activation_bytes=all_calls(op.activation_bytes),
        kv_bytes=all_calls(op.kv_bytes),
    )
    return Call(
        key=key,
        name=op.name,
        kind=op.kind.value,
        times=float(np.sum(runs * op.count)),
        rows=float(np.sum(_spread(op.m_tokens, steps))),
        sides=op.sides and (float(op.sides[0]), float(op.sides[1])),
        work=work if hardware is None else _timed(work, op, steps, ranks, hardware),
    )


def _timed(
    work: Work, op: Operator, steps: int, ranks: float, hardware: Hardware
) -> Work:
    time = hardware.efficiency.operator_time(op, hardware.machine)
    seconds, compute, memory = (
        float(np.sum(_spread(s, steps)))
        for s in (time.total_s, time.compute_s, time.memory_s)
    )
    joules = _joules(hardware, seconds, compute, memory, ranks)
    usd = _usd(hardware, seconds, ranks)
    return dataclasses.replace(work, seconds=seconds, joules=joules, usd=usd)


def _wait(name: str, seconds: float, ranks: float, hardware: Hardware) -> Call:
    """Time in which the accelerators exchange results, or wait for the engine."""
    work = Work(
        seconds=seconds,
        joules=_joules(hardware, seconds, 0.0, 0.0, ranks),
        usd=_usd(hardware, seconds, ranks),
    )
    part = ENGINE if name == "host" else EXCHANGE
    return Call(Key(part), name, part, 1.0, 0.0, None, work)


def _joules(
    hardware: Hardware, seconds: float, compute: float, memory: float, ranks: float
) -> float | None:
    if hardware.tdp_w is None:
        return None
    whole = seconds or 1.0
    watts = active_power_w(
        tdp_w=hardware.tdp_w,
        compute_frac=compute / whole,
        memory_frac=memory / whole,
        shares=hardware.shares,
    )
    return ranks * float(watts) * seconds


def _usd(hardware: Hardware, seconds: float, ranks: float) -> float | None:
    if hardware.usd_per_hour is None:
        return None
    return ranks * seconds / HOUR_S * hardware.usd_per_hour


def _sum(a: float | None, b: float | None) -> float | None:
    """Add; what has no number of its own adds nothing."""
    if a is None or b is None:
        return b if a is None else a
    return a + b
