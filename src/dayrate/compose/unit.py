"""From a day's total to a request and a token, by marginal work."""

import math

import numpy as np

from dayrate.compose.deploy import Plan
from dayrate.compose.money import Exchange
from dayrate.compose.resolve import Resolved
from dayrate.cost.breakdown import Cost
from dayrate.cost.split import (
    TokenCounts,
    TokenSeconds,
    blended_usd_per_token,
    per_1k,
    per_million,
    per_request,
    unit_costs,
)
from dayrate.scenario.result import Bill
from dayrate.scenario.working import Working
from dayrate.serving.steady import OperatingPoint, marginal_seconds

__all__ = ["unit_bill"]

#: Kind of token, the line with its marginal time, and the tokens of that kind in a day.
_KINDS = {
    "input": (
        "serving.s_per_input_token",
        "(workload.input_tokens_per_day * (1 - workload.cached_input_frac))",
    ),
    "cached_input": (
        "serving.s_per_cached_input_token",
        "(workload.input_tokens_per_day * workload.cached_input_frac)",
    ),
    "output": ("serving.s_per_output_token", "workload.output_tokens_per_day"),
}
_BUSY = " + ".join(f"{tokens} * {seconds}" for seconds, tokens in _KINDS.values())
_WHY = "replica time that one more token of this kind takes at the peak"


def unit_bill(
    cost: Cost, r: Resolved, plan: Plan, point: OperatingPoint, money: Exchange
) -> Bill:
    """Split the total by marginal work, so that the parts add up to it."""
    w, demand = money.w, r.workload
    seconds = marginal_seconds(plan.replica, r.traffic, point)
    for (line, _), value in zip(_KINDS.values(), seconds, strict=True):
        w.solved(line, float(value), "s/token", _WHY)
    cached = demand.cached_input_tokens_per_day
    tokens = TokenCounts(
        input_tokens=demand.input_tokens_per_day - cached,
        cached_input_tokens=cached,
        output_tokens=demand.output_tokens_per_day,
    )
    total = cost.total_usd
    unit = unit_costs(
        total_usd=total,
        tokens=tokens,
        marginal_seconds=TokenSeconds(*(float(s) for s in seconds)),
    )
    by_kind = {
        "input": unit.usd_per_input_token,
        "cached_input": unit.usd_per_cached_input_token,
        "output": unit.usd_per_output_token,
    }
    return Bill(
        cost=cost,
        used_frac=plan.utilisation,
        usd_per_request=w.derive(
            "cost.usd_per_request",
            float(per_request(total_usd=total, requests=demand.requests_per_day)),
            "USD",
            "cost.total_usd_per_day / workload.requests_per_day",
        ),
        usd_per_1k_tokens=w.derive(
            "cost.usd_per_1k_tokens",
            float(per_1k(blended_usd_per_token(total_usd=total, tokens=tokens))),
            "USD/1k token",
            "cost.total_usd_per_day * 1000"
            " / (workload.input_tokens_per_day + workload.output_tokens_per_day)",
        ),
        currency=money.currency,
        currency_per_usd=money.per_usd,
        **{
            f"usd_per_million_{kind}_tokens": _per_million(kind, float(usd), w)
            for kind, usd in by_kind.items()
        },
    )


def _per_million(kind: str, usd_per_token: float, w: Working) -> float | None:
    """Write the cost of a million tokens; none were served: unknown."""
    name = f"cost.usd_per_million_{kind}_tokens"
    if math.isnan(usd_per_token):
        w.unknown(name, "USD/1M token", "no token of this kind is served")
        return None
    seconds, _ = _KINDS[kind]
    return w.derive(
        name,
        float(np.asarray(per_million(usd_per_token))),
        "USD/1M token",
        f"1000000 * cost.total_usd_per_day * {seconds} / ({_BUSY})",
        why="split by marginal work",
    )
