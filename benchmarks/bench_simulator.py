"""Print how many requests a second the simulator serves, interpreted and compiled.

python benchmarks/bench_simulator.py
"""

import importlib.util
import time

import numpy as np

from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import EngineKind, RequestList, limits_of
from dayrate.serving.simulator.law import step_law
from dayrate.serving.steady import Slo, capacity
from dayrate.workload.presets import preset

LOADS = (0.3, 0.5, 0.8)


def requests(n: int, load: float) -> RequestList:
    rng = np.random.default_rng(0)
    chat = preset("chat")
    sides = (chat.input_length.tokens, chat.output_length.tokens)
    drawn = [np.maximum(np.round(rng.choice(t, n)), 1).astype(int) for t in sides]
    rate = load * float(capacity(LLAMA_ON_H100, CHAT, Slo()).requests_per_s)
    return RequestList(np.cumsum(rng.exponential(1 / rate, n)), *drawn)


def report(kind: EngineKind, n: int, load: float) -> None:
    asked = requests(n, load)
    law = step_law(LLAMA_ON_H100, 32_768)
    limits = limits_of(LLAMA_ON_H100, float(CHAT.context_tokens))
    start = time.perf_counter()
    run = simulate(asked, law, limits, engine=kind)
    took = time.perf_counter() - start
    steps = int(run.steps.sum())
    print(
        f"{kind.value:7} {n:9,} requests at {load:.0%} load in {took:7.2f} s "
        f"{n / took:12,.0f} requests/s {steps / took:13,.0f} steps/s"
    )


def main() -> None:
    for load in LOADS:
        report(EngineKind.PYTHON, 50_000, load)
    if importlib.util.find_spec("numba") is None:
        print("numba (extra fast) is not installed")
        return
    report(EngineKind.NUMBA, 1_000, 0.5)  # compiles
    for load in LOADS:
        report(EngineKind.NUMBA, 1_000_000, load)


if __name__ == "__main__":
    main()
