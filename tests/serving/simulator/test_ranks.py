"""Attention-data ranks: a second oracle with a scheduler and a cache for each rank."""

import dataclasses
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest

from dayrate import catalog
from dayrate.perf.deployment import Parallelism
from dayrate.perf.operators import StepShape
from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.serving.simulator import engine
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList
from dayrate.serving.simulator.law import StepLaw, step_law
from dayrate.serving.simulator.lookup import shared_less_s, step_s
from dayrate.serving.simulator.state import Law

from .made import drawn, needs_numba
from .test_invariants import same

RANKS = 8
REPLICA = dataclasses.replace(
    LLAMA_ON_H100,
    model=catalog.model("deepseek-ai/DeepSeek-V3"),
    parallelism=Parallelism(attention_data=RANKS, expert=RANKS),
)
LAW = step_law(REPLICA, 8192)
LIMITS = Limits(256 * RANKS, 8192 * RANKS, 40_000)


@dataclass
class Sequence:
    request: int
    stored: int
    left: int
    to_compute: int


@dataclass
class Rank:
    """One scheduler with its own tokens; prompts fit one step here."""

    waiting: deque[int] = field(default_factory=deque)
    running: list[Sequence] = field(default_factory=list)
    used_tokens: int = 0

    def step(self, requests: RequestList) -> tuple[float, ...]:
        """Start who fits; say tokens, pairs and decoding sequences of a step."""
        decoding = len(self.running)
        context = sum(s.stored for s in self.running)
        for s in self.running:
            s.stored += 1
        self.used_tokens += decoding
        prefill, pairs = 0, 0.0
        while self.waiting:
            i = self.waiting[0]
            tokens = int(requests.input_tokens[i])
            if self.used_tokens + tokens > LIMITS.kv_blocks * 16 // RANKS:
                break
            if prefill + tokens + decoding > LIMITS.max_step_tokens // RANKS:
                break
            self.waiting.popleft()
            self.used_tokens += tokens
            left = int(requests.output_tokens[i])
            self.running.append(Sequence(i, tokens, left, tokens))
            prefill, pairs = prefill + tokens, pairs + 0.5 * tokens**2
        return prefill, pairs, decoding, context, len(self.running)


def in_lock_step(requests: RequestList, law: Law) -> tuple[np.ndarray, np.ndarray]:
    """First and last token of each request, where all ranks wait for the slowest."""
    ranks = [Rank() for _ in range(RANKS)]
    n = len(requests.arrival_s)
    first, done = np.full(n, math.nan), np.full(n, math.nan)
    now, came = 0.0, 0
    while np.isnan(done).any():
        while came < n and requests.arrival_s[came] <= now:
            least = min(ranks, key=lambda r: 4 * len(r.waiting) + len(r.running))
            least.waiting.append(came)
            came += 1
        if not any(r.waiting or r.running for r in ranks):
            now = float(requests.arrival_s[came])
            continue
        rows = [r.step(requests) for r in ranks]
        tokens = int(sum(p + d for p, _, d, _, _ in rows))
        now += max(slowest_s(law, row, tokens) for row in rows if row[0] + row[2])
        for r in ranks:
            for s in r.running:
                if s.left == requests.output_tokens[s.request]:
                    first[s.request] = now
                s.left -= 1
                if s.left == 0:
                    done[s.request] = now
                    r.used_tokens -= s.stored
            r.running = [s for s in r.running if s.left]
    return first, done


def slowest_s(law: Law, row: tuple[float, ...], tokens: int) -> float:
    """Time of a step in which every rank has as much, but for the experts."""
    prefill, pairs, decoding, context, sampled = (RANKS * x for x in row)
    p, d = int(prefill), int(decoding)
    step = step_s(law, p, pairs, 0.0, d, d, context, int(sampled))
    return step + shared_less_s(law, tokens, p + d)


def most_per_s(requests: RequestList) -> float:
    zero = np.zeros(len(requests.arrival_s))
    flood = dataclasses.replace(requests, arrival_s=zero)
    return len(zero) / simulate(flood, LAW, LIMITS).end_s


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_one_pool_agrees_with_a_scheduler_for_each_rank(load: float) -> None:
    """With long prompts, and beyond the capacity: docs/concepts/simulation.md."""
    requests = drawn(200, 1.0, longest=4000)
    rate = load * most_per_s(requests)
    requests = dataclasses.replace(
        requests, arrival_s=np.asarray(requests.arrival_s) / rate
    )
    run = simulate(requests, LAW, LIMITS)
    first, done = in_lock_step(requests, engine._ready(LAW.tables, False))
    arrival = np.asarray(requests.arrival_s)
    assert run.ttft_s.mean() == pytest.approx((first - arrival).mean(), rel=0.03)
    assert np.median(run.e2e_s) == pytest.approx(np.median(done - arrival), rel=0.03)
    spread = dataclasses.replace(LAW, data_ranks=1.0)  # prompts over all ranks
    even = simulate(requests, spread, LIMITS)
    assert even.ttft_s.mean() < 0.8 * run.ttft_s.mean()


def test_a_prompt_alone_is_computed_by_one_rank() -> None:
    """As long as if each rank had one, but for the experts."""
    tokens = 2000
    run = simulate(RequestList([0.0], [tokens], [1]), LAW, LIMITS)

    def step_of(count: int) -> tuple[float, float]:
        t = REPLICA.step(
            StepShape(
                prefill_tokens=float(tokens * count),
                prefill_context_tokens=tokens / 2.0,
                logit_sequences=float(count),
            )
        )
        experts = [s for k, s in t.by_operator_s.items() if k.startswith("experts")]
        return float(t.total_s), float(sum(experts))

    every, alone = step_of(RANKS), step_of(1)
    assert every[1] > alone[1] > 0
    expected = every[0] - every[1] + alone[1]
    assert run.first_s[0] == pytest.approx(expected, rel=0.02)


def test_without_ranks_nothing_is_shared() -> None:
    law: StepLaw = step_law(LLAMA_ON_H100, 8192)
    assert len(law.routed_s) == 0
    assert shared_less_s(law.tables, 10, 80) == 0.0


@needs_numba
@pytest.mark.slow
def test_both_engines_agree() -> None:
    requests = drawn(200, 4.0)
    a, b = (
        simulate(requests, LAW, LIMITS, engine=kind)
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    )
    same(a, b)
