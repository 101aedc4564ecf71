"""Published models, by their dimensions, for closed forms."""

import dataclasses

import pytest

from dayrate.catalog.model import (
    Attention,
    Block,
    LinearAttention,
    Mamba2,
    Mla,
    Mlp,
    ModelSpec,
    Moe,
)
from dayrate.perf.examples import LLAMA_3_1_70B
from dayrate.units import DType


def decoder(name: str, hidden: int, vocab: int, *blocks: Block) -> ModelSpec:
    return dataclasses.replace(
        LLAMA_3_1_70B, id=name, hidden_size=hidden, vocab_size=vocab, blocks=blocks
    )


def dense(name: str, layers: int, attention: Attention, mlp: Mlp) -> ModelSpec:
    hidden = attention.n_heads * attention.head_dim
    return decoder(name, hidden, 50257, Block(layers, attention, mlp, 2 * hidden))


V3_MLA = Mla(128, 1536, 512, 128, 64, 128)
MODELS = {
    "gpt2": dense("gpt2", 12, Attention(12, 12, 64), Mlp(3072, gated=False)),
    "gpt3": dense("gpt3", 96, Attention(96, 96, 128), Mlp(49152, gated=False)),
    "llama-70b": LLAMA_3_1_70B,
    "llama-405b": decoder(
        "llama-405b",
        16384,
        128_256,
        Block(126, Attention(128, 8, 128), Mlp(53248), 2 * 16384),
    ),
    "deepseek-v3": dataclasses.replace(
        decoder(
            "deepseek-v3",
            7168,
            129_280,
            Block(3, V3_MLA, Mlp(18432), 2 * 7168),
            Block(58, V3_MLA, Moe(256, 8, 2048, shared_intermediate_size=2048), 14336),
        ),
        weights_dtype=DType.FP8,
    ),
    "mixtral": decoder(
        "mixtral", 4096, 32000, Block(32, Attention(32, 8, 128), Moe(8, 2, 14336), 8192)
    ),
    "windowed": decoder(
        "windowed",
        4096,
        32000,
        Block(16, Attention(32, 8, 128, window_tokens=1024), Mlp(14336), 8192),
        Block(16, Attention(32, 8, 128), Mlp(14336), 8192),
    ),
    "hybrid": decoder(
        "hybrid",
        4096,
        32000,
        Block(20, Mamba2(128, 64, 128, 8, 4), None, 4096),
        Block(4, Attention(32, 8, 128), None, 4096),
        Block(4, LinearAttention(16, 32, 128, 128, 4), None, 4096),
        Block(20, None, Mlp(14336, gated=False), 4096),
    ),
    "sparse": decoder(
        "sparse",
        7168,
        129_280,
        Block(
            61,
            dataclasses.replace(
                V3_MLA, index_n_heads=64, index_head_dim=128, index_topk=2048
            ),
            Mlp(18432),
            14336,
        ),
    ),
    "t5": decoder(
        "t5",
        1024,
        32128,
        Block(24, Attention(16, 16, 64), Mlp(4096), 2048, encoder=True),
        Block(
            24,
            Attention(16, 16, 64),
            Mlp(4096),
            3072,
            cross=Attention(16, 16, 64, cross=True),
        ),
    ),
}


@pytest.fixture(params=sorted(MODELS))
def any_model(request: pytest.FixtureRequest) -> ModelSpec:
    return MODELS[request.param]


@pytest.fixture(scope="session")
def models() -> dict[str, ModelSpec]:
    return MODELS
