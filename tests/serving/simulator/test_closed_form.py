"""The closed form beside the simulator, where it claims to hold."""

import numpy as np
import pytest

from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.serving.replica import Slo, Traffic
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import RequestList, limits_of
from dayrate.serving.simulator.law import step_law
from dayrate.serving.steady import capacity, operating_point
from dayrate.workload.presets import preset

LAW = step_law(LLAMA_ON_H100, 16_384)
#: Input and output tokens of requests that are all alike; None: the chat preset.
KINDS = {"alike": (1155, 211), "short": (200, 100), "long": (8000, 300), "chat": None}


def lengths(kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    alike = KINDS[kind]
    if alike is not None:
        return np.full(n, alike[0]), np.full(n, alike[1])
    chat, rng = preset("chat"), np.random.default_rng(5)
    sides = (chat.input_length.tokens, chat.output_length.tokens)
    i, o = (np.maximum(np.round(rng.choice(t, n)), 1).astype(int) for t in sides)
    return i, o


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("load", [0.1, 0.3, 0.5, 0.7])
def test_mean_time_to_first_token(kind: str, load: float) -> None:
    """Within 5 %, the 95th percentile within 20 %; time per token at light load."""
    i, o = lengths(kind, 6000)
    traffic = Traffic(
        float(i.mean()),
        float(o.mean()),
        output_cv=float(o.std() / o.mean()),
        input_cv=float(i.std() / i.mean()),
    )
    rate = load * float(capacity(LLAMA_ON_H100, traffic, Slo()).requests_per_s)
    arrival = np.cumsum(np.random.default_rng(1).exponential(1 / rate, len(i)))
    limits = limits_of(LLAMA_ON_H100, float(traffic.context_tokens))
    run = simulate(RequestList(arrival, i, o), LAW, limits)
    warm = slice(len(i) // 10, None)
    point = operating_point(LLAMA_ON_H100, traffic, rate)
    ttft = float(run.ttft_s[warm].mean())
    assert float(point.ttft_mean_s) == pytest.approx(ttft, rel=0.05)
    p95 = float(np.quantile(run.ttft_s[warm], 0.95))
    assert float(point.ttft_quantile_s) == pytest.approx(p95, rel=0.20)
    if load <= 0.3:
        tpot = (run.done_s - run.first_s)[warm].sum() / (o[warm] - 1).sum()
        assert float(point.tpot_mean_s) == pytest.approx(tpot, rel=0.05)


def test_replicas_in_turn_make_arrivals_regular() -> None:
    """Long prompts queue less where eight replicas take turns, as the form says."""
    i, o = lengths("long", 6000)
    alone = Traffic(8000.0, 300.0)
    rate = 0.5 * float(capacity(LLAMA_ON_H100, alone, Slo()).requests_per_s)
    limits = limits_of(LLAMA_ON_H100, 8150.0)
    for n in (1, 8):
        rng = np.random.default_rng(2)
        arrival = np.cumsum(rng.exponential(1 / (n * rate), len(i)))
        run = simulate(RequestList(arrival, i, o), LAW, limits, replicas=n)
        traffic = Traffic(8000.0, 300.0, arrival_scv=1 / n)
        ttft = float(operating_point(LLAMA_ON_H100, traffic, rate).ttft_mean_s)
        assert ttft == pytest.approx(float(run.ttft_s[600:].mean()), rel=0.1), n
