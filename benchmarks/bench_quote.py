"""Speed of a quote: warm, from the shell, over arrays, and of the import.

Run with ``python benchmarks/bench_quote.py``; it prints medians and asserts nothing.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from dayrate.compose.resolve import resolve
from dayrate.perf.deployment import Parallelism
from dayrate.quoting import quote
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from
from dayrate.scenario.working import Working
from dayrate.serving.replica import Replica, Slo, Traffic
from dayrate.serving.steady import capacity

QUESTION = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "accelerator": "h100-sxm-80gb",
    "isl": 1155,
    "osl": 211,
    "requests_per_day": 500_000,
}
DEPLOYMENTS = 10_000


def median_s(run: Callable[[], object], times: int) -> float:
    run()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def shell(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)


def price_deployments() -> np.ndarray:
    """Cost of a day of 10,000 deployments: split, lengths and price vary."""
    r = resolve(scenario_from(nested(QUESTION)), Working())
    rng = np.random.default_rng(0)
    tensor = rng.choice([2.0, 4.0, 8.0], DEPLOYMENTS)
    replica = Replica(
        r.model,
        r.machine,
        Parallelism(tensor=tensor),
        r.precision,
        r.engine,
        r.efficiency,
    )
    traffic = Traffic(
        input_tokens=rng.uniform(100, 4000, DEPLOYMENTS),
        output_tokens=rng.uniform(50, 1000, DEPLOYMENTS),
    )
    found = capacity(replica, traffic, Slo(ttft_s=2.0, tpot_s=0.2))
    replicas = np.ceil(10.0 / (0.8 * np.asarray(found.requests_per_s)))
    cost: np.ndarray = replicas * tensor * 24 * rng.uniform(2, 12, DEPLOYMENTS)
    return cost


def main() -> None:
    python = sys.executable
    bare = median_s(shell(python, "-c", "pass"), 5)
    loaded = median_s(shell(python, "-c", "import dayrate"), 5)
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in QUESTION.items()]
    whole = median_s(shell(python, "-m", "dayrate", "quote", *flags), 5)
    warm = median_s(lambda: quote(**QUESTION), 20)
    arrays = median_s(price_deployments, 5)
    print(f"import dayrate                 {loaded - bare:8.3f} s")
    print(f"dayrate quote, from the shell  {whole:8.3f} s")
    print(f"one quote, warm                {warm * 1e3:8.1f} ms")
    print(f"{DEPLOYMENTS:,} deployments priced    {arrays:8.3f} s", end="")
    print(f"  ({DEPLOYMENTS / arrays:,.0f}/s)")


if __name__ == "__main__":
    main()
