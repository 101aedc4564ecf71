import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.training.flops import AttentionCount, flop_per_token, mfu, training_flop

#: Layers and width by scripts/train/yamls/pretrain/mpt-*.yaml of llm-foundry.
MPT = {
    "MPT-1b": (24, 2048),
    "MPT-3b": (32, 2560),
    "MPT-7b": (32, 4096),
    "MPT-13b": (40, 5120),
    "MPT-30b": (48, 7168),
    "MPT-70b": (80, 8192),
}
PEAK_FLOP_PER_S = {
    "A100-40GB-SXM": 312e12,
    "A100-80GB-SXM": 312e12,
    "H100-80GB-SXM": 989.5e12,  # half of the sparse 1,979 of the data sheet
}


def llm_foundry_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "measurements" / "training.csv").open() as f:
        rows = list(csv.DictReader(f))
    return [
        r
        for r in rows
        if "llm-foundry" in r["source"]
        and r["model"] in MPT
        and r["precision"] == "bf16"
    ]


def predicted(row: dict[str, str], *, recompute: bool = False) -> float:
    n_layers, width = MPT[row["model"]]
    work = flop_per_token(
        active_params=float(row["params_active"]),
        n_layers=n_layers,
        query_width=width,
        sequence_tokens=float(row["seq_len"]),
        attention=AttentionCount.FULL,
        recompute=recompute,
    )
    rate = float(row["tokens_per_s_per_accel"])
    peak = PEAK_FLOP_PER_S[row["accelerator"]]
    utilisation = mfu(
        tokens_per_s_per_accelerator=rate, flop_per_token=work, peak_flop_per_s=peak
    )
    return float(utilisation)


def test_llm_foundrys_mfu_is_reproduced(shared_data: Path) -> None:
    """llm-foundry, scripts/train/benchmarking/README.md at 8c8dd48."""
    rows = llm_foundry_rows(shared_data)
    assert len(rows) > 50
    errors = [predicted(r) / (float(r["mfu_pct"]) / 100) - 1 for r in rows]
    assert np.abs(errors).max() < 0.003
    assert np.median(np.abs(errors)) < 2e-4


def test_hardware_utilisation_counts_the_repeated_forward(shared_data: Path) -> None:
    rows = [r for r in llm_foundry_rows(shared_data) if r["act_ckpt"] == "full"]
    assert rows
    for row in rows:
        published = float(row["hfu_pct"]) / 100
        assert predicted(row, recompute=True) == pytest.approx(published, rel=0.003)


def test_gpt3() -> None:
    """Brown et al. 2020, table D.1: 3.14e23 FLOP for GPT-3 175B."""
    flop = training_flop(
        flop_per_token=flop_per_token(active_params=175e9), tokens=300e9
    )
    assert flop == pytest.approx(3.15e23)
    assert flop == pytest.approx(3.14e23, rel=0.005)


@given(
    params=st.floats(1e6, 1e13), layers=st.integers(1, 200), tokens=st.floats(1, 1e6)
)
def test_conventions_are_ordered(params: float, layers: int, tokens: float) -> None:
    none, causal, full = (
        flop_per_token(
            active_params=params,
            n_layers=layers,
            query_width=4096,
            sequence_tokens=tokens,
            attention=attention,
        )
        for attention in AttentionCount
    )
    assert none <= causal <= full
    assert full - none == pytest.approx(2 * (causal - none), rel=1e-2, abs=1)


def test_array_equals_scalar() -> None:
    params = np.array([1e9, 70e9])
    together = flop_per_token(active_params=params, recompute=True)
    alone = [flop_per_token(active_params=p, recompute=True) for p in params]
    np.testing.assert_array_equal(together, alone)
