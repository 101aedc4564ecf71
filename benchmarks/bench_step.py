"""Print how many configurations a second the step and the steady state evaluate.

python benchmarks/bench_step.py
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from dayrate.perf.deployment import Parallelism
from dayrate.perf.operators import StepShape
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.steady import Slo, capacity, marginal_seconds, operating_point


def best_s(run: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def report(what: str, configurations: int, seconds: float) -> None:
    rate = configurations / seconds
    print(f"{what:34} {configurations:7,} in {seconds * 1e3:8.1f} ms {rate:12,.0f}/s")


def main() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 10_000, 100_000):
        tensor = rng.choice([1.0, 2.0, 4.0, 8.0], n)
        batch = rng.uniform(1, 512, n)
        replica = dataclasses.replace(
            LLAMA_ON_H100, parallelism=Parallelism(tensor=tensor)
        )
        shape = StepShape(
            prefill_tokens=rng.uniform(0, 4096, n),
            prefill_context_tokens=500.0,
            decode_sequences=batch,
            decode_context_tokens=rng.uniform(100, 8000, n),
            logit_sequences=batch,
        )
        report("step_time", n, best_s(lambda r=replica, s=shape: r.step(s)))
    for n in (1, 10_000):
        traffic = dataclasses.replace(CHAT, input_tokens=rng.uniform(100, 4000, n))
        if n == 1:
            traffic = CHAT
        for slo in (Slo(), Slo(ttft_s=1.0, tpot_s=0.05)):
            seconds = best_s(lambda t=traffic, s=slo: capacity(LLAMA_ON_H100, t, s), 2)
            report(f"capacity, TTFT <= {slo.ttft_s} s", n, seconds)
        run = lambda t=traffic: operating_point(LLAMA_ON_H100, t, 2.0)  # noqa: E731
        report("operating_point", n, best_s(run, 2))
        point = run()
        report(
            "marginal_seconds",
            n,
            best_s(lambda t=traffic, p=point: marginal_seconds(LLAMA_ON_H100, t, p), 2),
        )


if __name__ == "__main__":
    main()
