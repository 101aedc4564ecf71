"""Print how many requests a second the simulator serves, interpreted and compiled.

python benchmarks/bench_simulator.py
"""

import importlib.util
import resource
import time

import numpy as np

from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import EngineKind, RequestList, limits_of
from dayrate.serving.simulator.law import step_law
from dayrate.serving.simulator.outcome import summary
from dayrate.serving.steady import Slo, capacity
from dayrate.units import DAY_S
from dayrate.workload.presets import preset

LOADS = (0.3, 0.5, 0.8)
MOST = float(capacity(LLAMA_ON_H100, CHAT, Slo()).requests_per_s)
PIECE = 1_000_000


def drawn(table: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Lengths in 32 bits, a million at a time, so that memory is the simulator's."""
    tokens = np.empty(n, dtype=np.int32)
    for i in range(0, n, PIECE):
        part = tokens[i : i + PIECE]
        part[:] = np.maximum(np.round(rng.choice(table, len(part))), 1)
    return tokens


def requests(n: int, load: float) -> RequestList:
    rng = np.random.default_rng(0)
    chat = preset("chat")  # lengths of the Azure 2023 conversation trace
    sides = (chat.input_length.tokens, chat.output_length.tokens)
    inputs, outputs = (drawn(t, n, rng) for t in sides)
    arrival = rng.exponential(1 / (load * MOST), n)
    return RequestList(np.cumsum(arrival, out=arrival), inputs, outputs)


def report(kind: EngineKind, n: int, load: float, replicas: int = 1) -> None:
    asked = requests(n, load * replicas)
    law = step_law(LLAMA_ON_H100, 32_768)
    limits = limits_of(LLAMA_ON_H100, float(CHAT.context_tokens))
    start, used = time.perf_counter(), time.process_time()
    run = simulate(asked, law, limits, engine=kind, replicas=replicas)
    took, used = time.perf_counter() - start, time.process_time() - used
    steps = int(run.steps.sum())
    print(
        f"{kind.value:7} {n:10,} requests at {load:.0%} load in {took:6.2f} s "
        f"({used:.2f} s of CPU) {n / took:11,.0f} requests/s {steps / took:12,.0f} "
        "steps/s"
    )
    if n >= 10 * PIECE:
        summary(run, Slo(), replicas * limits.kv_blocks)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"        peak memory with its summary {peak:,.0f} MiB")


def main() -> None:
    for load in LOADS:
        report(EngineKind.PYTHON, 50_000, load)
    if importlib.util.find_spec("numba") is None:
        print("numba (extra fast) is not installed")
        return
    report(EngineKind.NUMBA, 1_000, 0.5)  # compiles, or loads what is kept
    for load in LOADS:
        report(EngineKind.NUMBA, PIECE, load)
    replicas = 4
    day = 20.0 / (MOST * replicas)
    print(f"24 h at 20 requests/s on {replicas} replicas:")
    report(EngineKind.NUMBA, round(20 * DAY_S), day, replicas)
    report(EngineKind.NUMBA, 10 * PIECE, 0.8)


if __name__ == "__main__":
    main()
