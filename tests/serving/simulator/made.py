"""Requests, laws and replicas that the tests of the simulator share."""

import dataclasses
import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from dayrate.compose.requests import _request_list
from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.serving.simulator import core, engine
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.examples import opened
from dayrate.serving.simulator.inputs import Limits, RequestList
from dayrate.serving.simulator.law import Drafts, StepLaw, step_law
from dayrate.workload.arrivals import ArrivalProcess
from dayrate.workload.draw import Draw
from dayrate.workload.lengths import lognormal
from dayrate.workload.sessions import Dialogue, draw_sessions

LAW = step_law(LLAMA_ON_H100, 8192)
GUESSED = Drafts(3, 0.7)
DRAFTED = step_law(LLAMA_ON_H100, 8192, GUESSED)

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba (extra fast) is not here"
)


def drawn(
    n: int, rate: float, seed: int = 0, *, longest: int = 4000, sharing: bool = False
) -> RequestList:
    """Poisson arrivals and skewed lengths."""
    rng = np.random.default_rng(seed)
    inputs = np.clip(rng.lognormal(6.0, 1.0, n), 1, longest).astype(int)
    outputs = np.clip(rng.lognormal(4.0, 1.0, n), 1, 1000).astype(int)
    arrival = np.cumsum(rng.exponential(1 / rate, n))
    if not sharing:
        return RequestList(arrival, inputs, outputs)
    counts = -(-inputs // 16)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    # prompts of three kinds share what they begin with, up to where each goes its way
    kind = rng.integers(0, 3, n)
    own = rng.integers(0, 60, n)
    ids = [
        kind[i] * 10_000 + j if j < own[i] else 100_000 + 1000 * i + j
        for i in range(n)
        for j in range(counts[i])
    ]
    return RequestList(
        arrival, inputs, outputs, block_offsets=offsets, block_ids=np.array(ids)
    )


def left(requests: RequestList) -> RequestList:
    """A third of the users leave, before, while or after they are served."""
    rng = np.random.default_rng(1)
    n = len(requests.arrival_s)
    patience = np.where(rng.random(n) < 1 / 3, rng.exponential(4.0, n), np.inf)
    return dataclasses.replace(requests, cancel_s=requests.arrival_s + patience)


def ranked(requests: RequestList) -> RequestList:
    rng = np.random.default_rng(2)
    return dataclasses.replace(
        requests, priority=rng.integers(0, 3, len(requests.arrival_s))
    )


def drafted(limits: Limits) -> Limits:
    return dataclasses.replace(
        limits,
        draft_tokens=GUESSED.tokens,
        tokens_per_step=GUESSED.tokens_per_step,
    )


def law_of(limits: Limits) -> StepLaw:
    return DRAFTED if limits.draft_tokens else LAW


#: Regimes in which engines must agree and nothing may be lost.
REGIMES: dict[str, tuple[RequestList, Limits]] = {
    "calm": (drawn(300, 5.0), Limits(256, 8192, 80_000)),
    "overload": (drawn(600, 60.0), Limits(64, 2048, 80_000)),
    "small cache": (drawn(300, 20.0), Limits(64, 2048, 400)),
    "no recovery": (drawn(300, 20.0), Limits(64, 2048, 400, prefix_caching=False)),
    "whole prompts": (drawn(300, 20.0), Limits(64, 2048, 900, chunked_prefill=False)),
    "shared prefixes": (drawn(300, 20.0, sharing=True), Limits(64, 2048, 900)),
    "impatient": (
        drawn(400, 60.0),
        Limits(16, 1024, 600, max_waiting=30, timeout_s=1.5),
    ),
    "drafts": (drawn(300, 20.0), drafted(Limits(64, 2048, 500))),
    "cancelled": (left(drawn(400, 40.0)), Limits(32, 2048, 600)),
    "ranked": (ranked(drawn(300, 30.0)), Limits(32, 1024, 400)),
    "all at once": (
        ranked(left(drawn(300, 40.0, sharing=True))),
        drafted(Limits(32, 1024, 500, max_waiting=50, timeout_s=2.0)),
    ),
    "long context": (
        RequestList((np.arange(40.0) * 0.5).tolist(), [7000] * 40, [200] * 40),
        Limits(64, 512, 1790),
    ),
}


def talking(requests: RequestList, seed: int = 3) -> RequestList:
    """Two of three requests wait for the end of one before, and a while."""
    rng, n = np.random.default_rng(seed), len(requests.arrival_s)
    after, free = np.full(n, -1), list[int]()
    for i in range(n):
        if free and rng.random() < 2 / 3:
            after[i] = free.pop(rng.integers(len(free)))
        free.append(i)
    return dataclasses.replace(requests, after=after)


def conversations(n: int, *, answers: bool = True) -> RequestList:
    """Turns that begin with all before, and wait for the answer to it."""
    lengths = (lognormal(mean_tokens=900, cv=1.0), lognormal(mean_tokens=150, cv=0.7))
    dialogue = Dialogue(4.0, 8.0, closed=True)
    trace = draw_sessions(
        dialogue,
        ArrivalProcess(),
        n,
        15.0,
        lengths=lengths,
        rng=np.random.default_rng(4),
    )
    found = _request_list(trace, 0.0, Draw(dialogue=dialogue))
    if answers:
        return found
    return dataclasses.replace(found, answer_ids=None, answer_offsets=None)


#: The same, where arrivals depend on what is done.
TALKS: dict[str, tuple[RequestList, Limits]] = {
    name: (
        talking(dataclasses.replace(requests, priority=None, cancel_s=None)),
        limits,
    )
    for name, (requests, limits) in REGIMES.items()
    if name not in {"cancelled", "ranked"}
}
TALKS["conversations"] = conversations(300), Limits(64, 2048, 2000)
TALKS["few blocks"] = conversations(300), Limits(64, 2048, 1000)


@st.composite
def talks(draw: st.DrawFn) -> tuple[RequestList, Limits]:
    """Any few requests, of which some wait for others."""
    requests, limits = draw(cases())
    requests = dataclasses.replace(requests, priority=None, cancel_s=None)
    return talking(requests, draw(st.integers(0, 99))), limits


@st.composite
def cases(draw: st.DrawFn) -> tuple[RequestList, Limits]:
    """Any few requests on any small replica."""
    n = draw(st.integers(1, 40))
    gaps = draw(st.lists(st.floats(0, 0.3), min_size=n, max_size=n))
    tokens = st.lists(st.integers(1, 300), min_size=n, max_size=n)
    ids = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    inputs, outputs = draw(tokens), draw(tokens)
    blocks: dict[str, Any] = {}
    if draw(st.booleans()):
        counts = [-(-i // 16) for i in inputs]
        blocks["block_offsets"] = np.concatenate([[0], np.cumsum(counts)])
        known = draw(st.booleans())  # what the answers say
        if known:
            counts = [i // 16 for i in inputs]
            blocks["block_offsets"] = np.concatenate([[0], np.cumsum(counts)])
            ends = [(i + o - 1) // 16 for i, o in zip(inputs, outputs, strict=True)]
            later = np.array(ends) - counts
            blocks["answer_offsets"] = np.concatenate([[0], np.cumsum(later)])
            blocks["answer_ids"] = np.array(
                [
                    100 * k + j
                    for k, c, e in zip(ids, counts, ends, strict=True)
                    for j in range(c, e)
                ],
                dtype=np.int64,
            )
        blocks["block_ids"] = np.array(
            [100 * k + j for k, c in zip(ids, counts, strict=True) for j in range(c)],
            dtype=np.int64,
        )
    if draw(st.booleans()):
        blocks["priority"] = ids
    if draw(st.booleans()):
        waits = st.sampled_from([-0.1, 0.0, 0.05, 0.3, 2.0, float("inf")])
        patience = draw(st.lists(waits, min_size=n, max_size=n))
        blocks["cancel_s"] = np.cumsum(gaps) + np.array(patience)
    requests = RequestList(np.cumsum(gaps), inputs, outputs, **blocks)
    limits = Limits(
        max_num_seqs=draw(st.integers(1, 12)),
        max_step_tokens=draw(st.integers(1, 400)),
        kv_blocks=draw(st.integers(1, 120)),
        chunked_prefill=draw(st.booleans()),
        prefix_caching=draw(st.booleans()),
        max_waiting=draw(st.sampled_from([0, 3, 1000])),
        timeout_s=draw(st.sampled_from([0.05, float("inf")])),
    )
    return requests, drafted(limits) if draw(st.booleans()) else limits


@dataclasses.dataclass
class Opened:
    """One replica in the hands of a test, which may stop it at any time."""

    q: at.Requests
    w: at.Fate
    s: at.State
    law: at.Law

    @classmethod
    def of(cls, requests: RequestList, limits: Limits) -> "Opened":
        law = law_of(limits)
        law = engine._ready(law_of(limits).tables, False)
        return cls(*opened(requests, limits=limits), law)

    def run(self, until_s: float) -> None:
        core.advance(self.q, self.law, self.w, self.s, until_s)
