"""From configurations to machines: who reaches whom, and what scripts set."""

import numpy as np
import pytest

from dayrate.perf.operators import StepShape
from dayrate.validation.configuration import Configuration
from dayrate.validation.deployments import stack
from dayrate.validation.examples import row


def configured(**cells: str) -> Configuration:
    found = row(**cells).configuration
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("engine", "gpu", "relayed"),
    [
        ("vLLM", "L40S", True),
        ("llama.cpp", "rtx-4090", True),
        ("TensorRT-LLM", "L40S", False),
        ("vLLM", "H100-SXM-80GB", False),
        ("TensorRT-LLM", "H100-SXM-80GB", False),
    ],
)
def test_boards_reach_each_other_where_their_vendor_measured(
    engine: str, gpu: str, relayed: bool
) -> None:
    c = configured(engine=engine, gpu=gpu, gpus="2", tp="2")
    machine = stack([c]).replica.machine
    assert (machine.relay_frac < 1, machine.relay_s > 0) == (relayed, relayed)


def test_each_row_has_its_own_relay() -> None:
    rows = [configured(gpu=g, gpus="2", tp="2") for g in ("L40S", "H100-SXM-80GB")]
    machine = stack(rows).replica.machine
    assert (np.asarray(machine.relay_frac) < 1).tolist() == [True, False]


def test_tensor_ranks_on_boards_pay_for_the_relay() -> None:
    """The same transfers, once through host memory."""
    each = [
        stack([configured(engine=e, gpu="L40S", gpus="2", tp="2")]).replica
        for e in ("vLLM", "TensorRT-LLM")
    ]
    shape = StepShape(decode_sequences=8.0, decode_context_tokens=512.0)
    relayed, direct = (np.sum(r.step(shape).collective_s) for r in each)
    assert relayed > 1.5 * direct
