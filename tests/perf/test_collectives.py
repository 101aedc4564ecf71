import dataclasses

import numpy as np
import pytest

from dayrate.catalog.model import ModelSpec
from dayrate.perf.blocks import step_transfers
from dayrate.perf.collectives import Transfer
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B
from dayrate.perf.operators import StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.units import DType


def transfers(model: ModelSpec, spread: Parallelism) -> dict[str, Transfer]:
    shape = StepShape(decode_sequences=1024.0, decode_context_tokens=1.0)
    rank = accelerator_rank(model, spread, BF16, shape)
    return {t.name: t for t in step_transfers(model, rank, H100)}


def block_transfer(
    model: ModelSpec, spread: Parallelism, shape: StepShape, weights: DType
) -> Transfer:
    precision = Precision(weights, DType.BF16, DType.BF16)
    rank = accelerator_rank(model, spread, precision, shape)
    found = step_transfers(model, rank, H100)
    return next(t for t in found if t.name == "all_to_all")


def test_ranks_of_one_server_stay_off_the_network() -> None:
    inside = transfers(LLAMA_3_1_70B, Parallelism(tensor=8))["all_reduce"]
    assert inside.node_bytes == 0
    assert inside.link_bytes > 0


def test_ranks_of_two_servers_use_it() -> None:
    across = transfers(LLAMA_3_1_70B, Parallelism(tensor=16))["all_reduce"]
    assert across.link_bytes == 0
    assert across.node_bytes == pytest.approx(2 * 15 / 16 * 1024 * 8192 * 2)
    assert across.node_hops == 2


def test_stages_hand_over_once_per_boundary() -> None:
    send = transfers(LLAMA_3_1_70B, Parallelism(tensor=8, pipeline=2))["pipeline_send"]
    assert send.count == 1
    assert send.node_bytes == 512 * 8192 * 2 / 8


def test_dispatch_reaches_distinct_servers(models: dict[str, ModelSpec]) -> None:
    wide = Parallelism(expert=32, attention_data=32)
    sent = transfers(models["deepseek-v3"], wide)["all_to_all"]
    # BF16 there and back
    per_token = np.asarray(sent.node_bytes) / (1024 / 32 * 7168 * 2)
    # 8 uniform visits to 4 servers reach 3 x (1 - 0.75 ** 8) of the other three
    assert per_token == pytest.approx(3 * (1 - 0.75**8))


def test_tokens_go_in_the_format_of_the_experts_and_come_back_in_16_bits(
    models: dict[str, ModelSpec],
) -> None:
    wide, shape = Parallelism(expert=8, attention_data=8), StepShape(10.0, 5.0)
    sent = {
        weights: block_transfer(models["deepseek-v3"], wide, shape, weights)
        for weights in (DType.BF16, DType.FP8)
    }
    ratio = sent[DType.FP8].link_bytes / sent[DType.BF16].link_bytes
    assert ratio == pytest.approx((1 + 2) / (2 + 2))


def test_without_expert_ranks_everybody_gets_every_token(
    models: dict[str, ModelSpec],
) -> None:
    plain = Parallelism(attention_data=8)
    sent = transfers(models["mixtral"], plain)["all_to_all"]
    assert sent.link_bytes == 7 * 128 * 4096 * 2
    assert dataclasses.replace(sent, count=1).node_bytes == 0
