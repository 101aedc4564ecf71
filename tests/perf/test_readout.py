"""What the engine's time holds: work is listed once, with no seconds of its own."""

import dataclasses

import pytest

from dayrate.catalog.model import PositionKind
from dayrate.perf.deployment import Parallelism
from dayrate.perf.examples import BF16, LLAMA_3_1_70B
from dayrate.perf.operators import Operator, OpKind, StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.perf.readout import readout_operators

SHAPE = StepShape(prefill_tokens=10.0, prefill_context_tokens=5.5, logit_sequences=2.0)


def listed(positions: PositionKind, *, tensor: int = 1) -> dict[str, Operator]:
    model = dataclasses.replace(
        LLAMA_3_1_70B, positions=positions, embedding_norm_params=8192
    )
    rank = accelerator_rank(model, Parallelism(tensor=tensor), BF16, SHAPE)
    return {op.name: op for op in readout_operators(model, rank)}


@pytest.mark.parametrize("kind", PositionKind)
def test_only_added_positions_are_work(kind: PositionKind) -> None:
    added = {PositionKind.LEARNED, PositionKind.SINUSOIDAL}
    assert ("positions" in listed(kind)) == (kind in added)


def test_logits_are_those_of_the_sampled_positions() -> None:
    ops = listed(PositionKind.ROTARY, tensor=8)
    assert ops["sampling"].flop == 2 * 128_256 / 8
    assert ops["final_norm"].flop == 10 * 2 * 8192
    assert ops["embedding_norm"].activation_bytes == 10 * 2 * 8192 * 2
    assert {op.kind for op in ops.values()} == {OpKind.ELEMENTWISE}
