"""One request walked through a network: prefill, one decode step, the whole of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dayrate.anatomy.machine import check_fits, hardware_of
from dayrate.anatomy.parts import Key, Part, model_parts
from dayrate.anatomy.request import Lengths, decode_shape, lengths_of, prefill_shape
from dayrate.anatomy.work import (
    Call,
    Hardware,
    Work,
    by_part,
    eager_matmul_flop,
    phase_calls,
    total,
)
from dayrate.catalog.model import ModelSpec
from dayrate.compose.money import exchange
from dayrate.compose.resolve import accelerator_of, model_of, precision_of
from dayrate.compose.splits import check_split
from dayrate.errors import InvalidInput
from dayrate.evidence import Ledger
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.memory import kv_bytes_per_sequence
from dayrate.perf.operators import StepShape
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working

__all__ = ["Anatomy", "Phase", "anatomy_of"]


@dataclass(frozen=True, slots=True)
class Phase:
    """One pass through the network, or several in a row.

    ``tokens`` enter each pass; ``context`` is what the newest of them sees at most.
    """

    name: str
    passes: int
    tokens: int
    context: int
    calls: tuple[Call, ...]
    eager_matmul_flop: float

    @property
    def by_part(self) -> Mapping[Key, Work]:
        """Work of each part that has any."""
        return by_part(self.calls)

    @property
    def total(self) -> Work:
        """Work of all parts."""
        return total(self.calls)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A model's parts, and what they do in each phase of a request.

    ``phases`` are the prefill, one step in the middle of the answer, and the whole
    request; a model that writes nothing, or one token, has no step.
    """

    model: ModelSpec
    lengths: Lengths
    precision: Precision
    accelerators: int
    accelerator: str | None
    currency: str
    currency_per_usd: float
    cache_bytes: float
    parts: tuple[Part, ...]
    phases: tuple[Phase, ...]
    notes: tuple[str, ...]
    ledger: Ledger

    @property
    def params(self) -> int:
        """Parameters of all parts. [1]"""
        return sum(part.params for part in self.parts)


def anatomy_of(scenario: Scenario, batch: int = 1) -> Anatomy:
    """Walk the request of a scenario through its model.

    Raises
    ------
    InvalidInput
        A name nobody knows, or lengths that the model cannot hold.
    DoesNotFit
        The accelerators cannot hold the model.

    Examples
    --------
    >>> from dayrate.scenario.schema import scenario_from
    >>> gpt2 = anatomy_of(scenario_from({"model": {"id": "gpt2"}}))
    >>> [phase.name for phase in gpt2.phases], gpt2.params
    (['prefill', 'decode', 'request'], 124439808)
    """
    w = Working()
    model = model_of(scenario, w)
    lengths = lengths_of(scenario, model, batch, w)
    money = exchange(scenario.economics, w)
    named = scenario.deployment.accelerator is not None
    if not named:
        _check_unpriced(scenario)
    device = accelerator_of(scenario, w) if named else None
    precision = precision_of(scenario, model, device, w)
    check_split(scenario.deployment, model)
    split = Parallelism(tensor=scenario.deployment.tensor_parallel_size or 1)
    hardware = (
        None
        if device is None
        else hardware_of(scenario, model, device, precision, money)
    )
    held = lengths.isl + lengths.osl
    cache = lengths.batch * kv_bytes_per_sequence(model, split, precision, held)
    if hardware is not None:
        check_fits(model, split, precision, hardware, float(cache))
    return Anatomy(
        model=model,
        lengths=lengths,
        precision=precision,
        accelerators=int(split.accelerators),
        accelerator=device.id if device else None,
        currency=money.currency,
        currency_per_usd=money.per_usd,
        cache_bytes=float(cache) * float(split.accelerators),
        parts=model_parts(model),
        phases=_phases(model, lengths, split, precision, hardware),
        notes=model.notes,
        ledger=w.ledger,
    )


def _check_unpriced(scenario: Scenario) -> None:
    priced = {"pricing", "offer", "gpu_hour_price"} & {
        *scenario.given.get("economics", ())
    }
    if priced:
        raise InvalidInput(
            f"--{min(priced).replace('_', '-')} is given and no accelerator, so there "
            "are no hours to pay. Add --accelerator."
        )


def _phases(
    model: ModelSpec,
    lengths: Lengths,
    split: Parallelism,
    precision: Precision,
    hardware: Hardware | None,
) -> tuple[Phase, ...]:
    def phase(name: str, tokens: int, context: int, shape: StepShape) -> Phase:
        calls = tuple(phase_calls(model, split, precision, shape, hardware))
        eager = eager_matmul_flop(model, split, precision, shape)
        passes = int(np.size(shape.decode_context_tokens))
        return Phase(name, passes, tokens, context, calls, eager)

    isl, osl = lengths.isl, lengths.osl
    prefill = phase("prefill", isl, isl, prefill_shape(model, lengths))
    if osl <= 1:
        return (prefill,)
    middle = isl + max(osl // 2, 1)
    step = phase("decode", 1, middle, decode_shape(model, lengths, middle))
    contexts = np.arange(isl + 1, isl + osl, dtype=float)
    rest = phase("decode", 1, isl + osl - 1, decode_shape(model, lengths, contexts))
    whole = Phase(
        "request",
        1 + rest.passes,
        isl + osl - 1,
        isl + osl - 1,
        (*prefill.calls, *rest.calls),
        prefill.eager_matmul_flop + rest.eager_matmul_flop,
    )
    return prefill, step, whole
