"""Time a backtest of whole tables, and one step over many configurations.

python benchmarks/bench_backtest.py TABLE.csv...
"""

import sys
import time

import numpy as np

from dayrate.perf.operators import StepShape
from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.validation.calibration import Shipped
from dayrate.validation.score import backtest
from dayrate.validation.table import read_table

CONFIGURATIONS = 100_000


def main(paths: list[str]) -> None:
    for path in paths:
        start = time.perf_counter()
        found = backtest(read_table(path), Shipped())
        spent = time.perf_counter() - start
        print(f"{path}: {found.total.scored:,} rows in {spent:.2f} s")
    shape = StepShape(
        prefill_tokens=np.linspace(0, 2048, CONFIGURATIONS),
        prefill_context_tokens=512.0,
        decode_sequences=np.linspace(1, 256, CONFIGURATIONS),
        decode_context_tokens=1000.0,
        logit_sequences=256.0,
    )
    start = time.perf_counter()
    LLAMA_ON_H100.step(shape)
    print(f"one step, {CONFIGURATIONS:,}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
