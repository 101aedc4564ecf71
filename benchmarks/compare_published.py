"""Compare the steady state with published throughput, as a sanity check.

Reads `../shared/data`, and says so where it is absent. Nothing is fitted here: kernels
were calibrated on kernels, so this shows what servers lose besides.

    python benchmarks/compare_published.py
"""

import csv
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dayrate.catalog.model import Attention, Block, Mlp, ModelSpec, PositionKind
from dayrate.perf.deployment import Machine, Parallelism, Precision, compute_dtype
from dayrate.perf.efficiency import load_efficiency
from dayrate.serving.steady import (
    Engine,
    Replica,
    Slo,
    Traffic,
    capacity,
    static_batch_seconds,
)
from dayrate.units import GIB, DType

SHARED = Path(__file__).parents[1] / "../shared/data"
FORMATS = {"fp4": DType.NVFP4}
#: Names in the table -> catalogue id and generation.
DEVICES = {
    "A100-SXM-80GB": ("a100-sxm-80gb", "ampere"),
    "A100-SXM-40GB": ("a100-sxm-40gb", "ampere"),
    "H100-SXM-80GB": ("h100-sxm-80gb", "hopper"),
    "H200-SXM-141GB": ("h200-sxm-141gb", "hopper"),
    "B200-SXM-180GB": ("b200-sxm", "blackwell"),
    "GB200-NVL72-192GB": ("gb200", "blackwell"),
    "L40S": ("l40s", "ada"),
}
ENGINES = ("TensorRT-LLM", "vLLM", "LMDeploy-TurboMind")


def dense(name: str, *dims: int) -> ModelSpec:
    hidden, layers, heads, kv_heads, mlp, vocab = dims
    attention = Attention(heads, kv_heads, hidden // heads)
    return ModelSpec(
        id=name,
        model_type="llama",
        hidden_size=hidden,
        vocab_size=vocab,
        blocks=(Block(layers, attention, Mlp(mlp), 2 * hidden),),
        tied_embeddings=False,
        max_position_embeddings=None,
        positions=PositionKind.ROTARY,
        weights_dtype=DType.BF16,
    )


MODELS = {
    "llama2-7b": dense("llama-2-7b", 4096, 32, 32, 32, 11008, 32000),
    "llama2-70b": dense("llama-2-70b", 8192, 80, 64, 8, 28672, 32000),
    "llama3-8b": dense("llama-3-8b", 4096, 32, 32, 8, 14336, 128256),
    "llama3-70b": dense("llama-3-70b", 8192, 80, 64, 8, 28672, 128256),
    "mistral-7b": dense("mistral-7b", 4096, 32, 32, 8, 14336, 32000),
    "llama3-405b": dense("llama-3-405b", 16384, 126, 128, 8, 53248, 128256),
}


def machines() -> dict[str, tuple[Machine, dict[str, str]]]:
    with (SHARED / "facts/accelerators.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    return {id_: (_machine(rows[id_], gen), rows[id_]) for id_, gen in DEVICES.values()}


def _machine(row: dict[str, str], generation: str) -> Machine:
    world = row["scaleup_world"]
    return Machine(
        generation=generation,
        accelerator_id=row["id"],
        matmul_flop_per_s=float(row["fp16_bf16"]) * 1e12,
        attention_flop_per_s=float(row["fp16_bf16"]) * 1e12,
        hbm_bytes_per_s=float(row["mem_bw_gbs"]) * 1e9,
        hbm_bytes=float(row["mem_gb"]) * GIB,
        link_bytes_per_s=float(row["scaleup_gbs_unidir"]) * 1e9,
        link_latency_s=2e-6,
        link_world_size=max(int(world), 8),
        node_bytes_per_s=50e9,
        node_latency_s=5e-6,
    )


def replica_of(row: dict[str, str], known: dict) -> Replica:
    id_, generation = DEVICES[row["gpu"]]
    machine, facts = known[id_]
    weights = FORMATS.get(row["weights_dtype"]) or DType(row["weights_dtype"])
    kv_cache = DType(row["kv_dtype"]) if row["kv_dtype"] else DType.BF16
    column = {DType.FP8: "fp8", DType.NVFP4: "fp4"}.get(compute_dtype(weights))
    if column and facts[column]:
        machine = replace(machine, matmul_flop_per_s=float(facts[column]) * 1e12)
    batch = float(row["concurrency_or_batch"] or 2048)
    return Replica(
        model=MODELS[row["arch"]],
        machine=machine,
        parallelism=Parallelism(tensor=float(row["tp"]), pipeline=float(row["pp"])),
        precision=Precision(weights, kv_cache, DType.BF16),
        engine=Engine(max_num_seqs=batch, max_num_batched_tokens=8192),
        efficiency=load_efficiency(id_, generation),
    )


def predicted(row: dict[str, str], replica: Replica) -> float:
    """Tokens per second of the whole system, of the kind that the row states."""
    isl, osl = float(row["isl"]), float(row["osl"])
    traffic = Traffic(input_tokens=isl, output_tokens=osl)
    if row["scenario"] == "static_batch":
        batch = float(row["concurrency_or_batch"])
        requests = batch / float(static_batch_seconds(replica, traffic, batch))
    else:
        requests = float(capacity(replica, traffic, Slo()).requests_per_s)
        size = float(replica.parallelism.accelerators)
        requests *= max(float(row["gpus"]) / size, 1.0)
    return requests * (osl + (isl if row["metric"].startswith("total") else 0.0))


def wanted(row: dict[str, str]) -> bool:
    return (
        row["tier"] == "A"
        and row["arch"] in MODELS
        and row["gpu"] in DEVICES
        and row["engine"] in ENGINES
        and row["scenario"] in {"static_batch", "offline"}
        and row["metric"] in {"output_tokens_per_s", "total_tokens_per_s"}
        and bool(row["isl"] and row["osl"] and row["tp"] and row["pp"])
        and float(row["osl"]) > 1
    )


def errors() -> Iterator[tuple[tuple[str, ...], float, dict[str, str]]]:
    known = machines()
    with (SHARED / "measurements/inference.csv").open() as file:
        for row in filter(wanted, csv.DictReader(file)):
            error = math.log(
                predicted(row, replica_of(row, known)) / float(row["value"])
            )
            group = (row["source"], row["scenario"], row["engine"], row["arch"])
            yield (*group, row["gpu"]), error, row


def main() -> None:
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not here: nothing to compare with")
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    infeasible = 0
    for group, error, _ in errors():
        if math.isnan(error):
            infeasible += 1
        else:
            groups[group].append(error)
    print(" n   |ln|   ln    group")
    for group, values in sorted(groups.items()):
        typical = statistics.median(map(abs, values))
        bias = statistics.median(values)
        print(f"{len(values):3} {typical:6.2f} {bias:6.2f}  {' | '.join(group)}")
    per_group = [statistics.median(map(abs, v)) for v in groups.values()]
    rows = [abs(e) for v in groups.values() for e in v]
    print(
        f"{len(rows)} rows, {infeasible} judged infeasible; median |ln| "
        f"{statistics.median(rows):.2f}, mean of {len(groups)} groups "
        f"{statistics.mean(per_group):.2f}"
    )


if __name__ == "__main__":
    main()
