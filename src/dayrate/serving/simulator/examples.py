"""A replica whose steps all take 10 ms, for the examples of this room."""

import numpy as np

from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import Limits, RequestList
from dayrate.serving.simulator.law import StepLaw

__all__ = ["FLAT", "ONE_BY_ONE", "SMALL", "TALK", "TWO"]

FLAT = StepLaw(
    dense_s=np.array([0.0, *[0.01] * 4096]),
    logits_s=np.zeros(65),
    context_tokens=np.array([0.0, 8192.0]),
    context_s=np.zeros(2),
    attended_tokens=np.array([0.0, 8192.0]),
    read_frac=np.array([0.0, 1.0]),
    prefill_s=np.zeros((2, 2)),
    decode_fixed_s=0.0,
    prefill_fixed_s=0.0,
    ranks=1.0,
)
SMALL = Limits(max_num_seqs=64, max_step_tokens=2048, kv_blocks=1000)
#: Two requests of three tokens each, a second apart.
TWO = RequestList([0.0, 1.0], [100, 100], [3, 3])
ONE_BY_ONE = simulate(TWO, FLAT, SMALL)
#: Two turns: the second comes 0.2 s after the answer to the first, and begins with it.
TALK = simulate(
    RequestList(
        [0.0, 0.2],
        [100, 200],
        [20, 3],
        after=[-1, 0],
        block_offsets=[0, 6, 18],
        block_ids=[*range(6), *range(12)],
        answer_offsets=[0, 1, 1],
        answer_ids=[6],
    ),
    FLAT,
    SMALL,
)
