"""Runs of real engines and published cache statistics, from their inputs alone."""

import csv
import dataclasses
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dayrate import catalog
from dayrate.catalog.hardware import Accelerator
from dayrate.catalog.model import ModelSpec
from dayrate.perf.deployment import Parallelism, Precision, machine_of
from dayrate.perf.efficiency import Efficiency, load_efficiency
from dayrate.perf.tuning import calibrated_efficiency, halved_peak, setting_for
from dayrate.serving.replica import Engine, Replica
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.examples import FLAT
from dayrate.serving.simulator.inputs import Limits, RequestList, limits_of
from dayrate.serving.simulator.law import step_law
from dayrate.units import DType
from dayrate.workload.arrivals import spread_stamps
from dayrate.workload.traces import prefix_ids, read_trace

SIXTEEN = Precision(DType.BF16, DType.BF16, DType.BF16)

#: Relative errors of makespan, output tokens/s and median E2E, as docs/reference/
#: scorecard.md prints them: with the factors that `dayrate simulate` takes, and with
#: kernel timings alone; none may grow. The bars are 15, 15 and 20 %.
RUNS = {
    ("rtx4090_llama-3.1-8b", True): ("rtx-4090", 0.110, -0.099, 0.162),
    ("rtxpro6000_llama-3.1-8b", True): ("rtx-pro-6000-server", 0.010, -0.010, 0.033),
    ("rtxpro6000_qwen3-32b", True): ("rtx-pro-6000-server", -0.065, 0.069, -0.072),
    ("rtx4090_llama-3.1-8b", False): ("rtx-4090", 0.178, -0.151, 0.229),
    ("rtxpro6000_llama-3.1-8b", False): ("rtx-pro-6000-server", 0.029, -0.028, 0.025),
    ("rtxpro6000_qwen3-32b", False): ("rtx-pro-6000-server", -0.058, 0.062, -0.094),
}
ROUNDED = 0.0006  # to a tenth of a percent, and what a refit may shift by rounding


def efficiency_of(found: Accelerator, model: ModelSpec, fitted: bool) -> Efficiency:
    if not fitted:
        halved = halved_peak(found)
        return load_efficiency(found.id, found.generation, halved_peak=halved)
    return calibrated_efficiency(setting_for(found, model, DType.BF16, "vllm"))


@pytest.mark.parametrize(("name", "fitted"), RUNS)
def test_measured_vllm_runs(name: str, fitted: bool, shared_data: Path) -> None:
    accelerator_id, *known = RUNS[name, fitted]
    stem = shared_data / "traces" / f"measured_vllm_{name}"
    meta = json.loads(Path(f"{stem}.meta.json").read_text())["engine_kwargs"]
    with gzip.open(f"{stem}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    col = {k: np.array([float(r[k]) for r in rows]) for k in rows[0]}
    inputs, outputs = (col[f"{side}put_tokens"].astype(int) for side in ("in", "out"))
    found = catalog.accelerator(accelerator_id)
    server = catalog.server_for(found.id)
    model = catalog.model(meta["model"])
    replica = Replica(
        model,
        machine_of(
            found,
            network=server.inter_node,
            precision=SIXTEEN,
            per_server=server.accelerators,
        ),
        Parallelism(tensor=meta["tensor_parallel_size"]),
        SIXTEEN,
        Engine(meta["max_num_seqs"], meta["max_num_batched_tokens"]),
        efficiency_of(found, model, fitted),
    )
    limits = limits_of(replica, float(inputs.mean() + outputs.mean() / 2))
    law = step_law(replica, 32_768)
    run = simulate(RequestList(col["arrival_s"], inputs, outputs), law, limits)
    span = float((col["arrival_s"] + col["e2e_s"]).max())
    errors = (
        run.end_s / span - 1,
        span / run.end_s - 1,  # the same output tokens
        float(np.median(run.e2e_s) / np.median(col["e2e_s"])) - 1,
    )
    assert law.error_frac < 0.01
    for error, before in zip(errors, known, strict=True):
        assert abs(error) <= abs(before) + ROUNDED, errors


def test_the_scorecard_says_so() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "scorecard.md"
    text = page.read_text(encoding="utf-8")
    for _, *errors in RUNS.values():
        assert " | ".join(f"{100 * e:+.1f} %" for e in errors) in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blocks", "published"),
    [(1_000, 0.045), (10_000, 0.216), (30_000, 0.332), (100_000, 0.371)],
)
def test_prefix_cache_of_mooncake(
    blocks: int, published: float, shared_data: Path
) -> None:
    """Steps that take no time: what an LRU cache of that size finds, in arrival order.

    Published: token hit rates of the conversation trace, blocks of 512 tokens.
    """
    trace = read_trace(shared_data / "traces" / "mooncake_conversation.csv.gz")
    assert trace.blocks is not None
    assert trace.arrival_s is not None
    arrival, tick = spread_stamps(trace.arrival_s, np.random.default_rng(0))
    requests = RequestList(
        arrival,
        trace.input_tokens.astype(int),
        trace.output_tokens.astype(int),
        block_offsets=trace.blocks.offsets,
        block_ids=np.array(prefix_ids(trace.blocks)),
    )
    instant = dataclasses.replace(FLAT, dense_s=FLAT.dense_s * 1e-6)
    run = simulate(requests, instant, Limits(64, 1 << 20, blocks, block_tokens=512))
    assert tick == pytest.approx(3.0)
    hit_frac = run.hit_tokens.sum() / run.input_tokens.sum()
    assert hit_frac == pytest.approx(published, abs=0.01)
