"""A replica whose steps all take 10 ms, for the examples of this room."""

from typing import Any

import numpy as np

from dayrate.serving.simulator import core, engine
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import Limits, RequestList
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.state import Fate, Requests, State

__all__ = ["FLAT", "LEAVING", "ONE_BY_ONE", "SMALL", "TALK", "TURNS", "TWO", "opened"]

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
#: One who leaves before anything is done.
LEAVING = RequestList([0.0], [100], [3], cancel_s=[0.0])
#: Two turns: the second comes 0.2 s after the answer to the first, and begins with it.
TURNS = RequestList(
    [0.0, 0.2],
    [100, 200],
    [20, 3],
    after=[-1, 0],
    block_offsets=[0, 6, 18],
    block_ids=[*range(6), *range(12)],
    answer_offsets=[0, 1, 1],
    answer_ids=[6],
)
TALK = simulate(TURNS, FLAT, SMALL)


def opened(
    requests: RequestList = TWO,
    until_s: float = 0.0,
    *,
    limits: Limits = SMALL,
    samples: int = 0,
) -> tuple[Requests, Fate, State]:
    """Run one replica until a time, and look inside.

    Parameters
    ----------
    requests : RequestList
        Who asks for what, when.
    until_s : float
        No step starts from then on; at 0 nothing has happened yet. [s]
    limits : Limits
        Of the replica.
    samples : int
        Points of its timeline. [1]

    Returns
    -------
    tuple
        What is asked, what became of it, and the replica.

    Examples
    --------
    >>> _, _, s = opened(until_s=0.025)
    >>> s.x[0]  # three steps
    0.03

    References
    ----------
    .. [1] `engine.simulate`, which does the same for all replicas and all time.
    """
    arrays = engine._requests(requests, limits)
    made: list[Any] = [
        arrays,
        engine._fate(arrays, engine._fits(arrays, limits)),
        engine._state(requests, arrays, limits, samples, 0),
    ]
    q, w, s = (engine._ready(x, False) for x in made)
    core.advance(q, engine._ready(FLAT.tables, False), w, s, until_s)
    return q, w, s
