"""A source's own calculation as an answer: its figures, replayed and checked."""

from collections.abc import Mapping
from typing import Any

from dayrate.compose.money import Exchange, exchange
from dayrate.errors import InvalidInput
from dayrate.scenario.answer import Quote
from dayrate.scenario.replay import Replayed, replay_from, replayed
from dayrate.scenario.result import Bill, Deployment, Energy, Serving
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working

__all__ = ["check_flags", "published_quote"]

_SHOWN = frozenset({"currency", "fx"})
UNKNOWN = "what the source does not say is unknown here, not zero"


def published_quote(
    scenario: Scenario, replay: Mapping[str, Any], engine: Quote | None
) -> Quote:
    """Evaluate a published estimate; ``engine`` is dayrate's own answer beside it."""
    parsed = replay_from(replay)
    found = replayed(parsed)
    w = Working()
    w.ledger = found.ledger
    money = exchange(scenario.economics, w)
    return Quote(
        scenario=scenario,
        deployment=_deployment(scenario, found),
        serving=_serving(found),
        energy=_energy(found),
        bill=_bill(found, money),
        ledger=w.ledger,
        omissions=(UNKNOWN,),
        published=found.claims,
        verdict=parsed.verdict,
        engine=engine,
    )


def check_flags(name: str, flags: Mapping[str, Any]) -> None:
    """Refuse what cannot change a calculation that is only replayed."""
    idle = sorted(k for k, v in flags.items() if v is not None and k not in _SHOWN)
    if idle:
        raise InvalidInput(
            f"{name} repeats a published calculation, which {', '.join(idle)} would "
            "not change. Leave it out, or ask without the scenario."
        )


def _deployment(scenario: Scenario, found: Replayed) -> Deployment:
    return Deployment(
        model=scenario.model.id,
        accelerator=scenario.deployment.accelerator,
        accelerators=found.result.get("accelerators"),
        servers=found.result.get("servers"),
    )


def _serving(found: Replayed) -> Serving:
    get = found.result.get
    return Serving(
        requests_per_day=get("requests_per_day"),
        input_tokens_per_day=get("input_tokens_per_day"),
        cached_input_tokens_per_day=get("cached_input_tokens_per_day"),
        output_tokens_per_day=get("output_tokens_per_day"),
    )


def _energy(found: Replayed) -> Energy:
    get = found.result.get
    return Energy(
        kwh_per_day=get("kwh_per_day"),
        wh_per_request=get("wh_per_request"),
        mean_it_power_kw=get("mean_it_power_kw"),
        pue=get("pue"),
    )


def _bill(found: Replayed, money: Exchange) -> Bill:
    get = found.result.get
    return Bill(
        cost=found.cost,
        used_frac=None,
        usd_per_request=get("usd_per_request"),
        usd_per_1k_tokens=get("usd_per_1k_tokens"),
        usd_per_million_input_tokens=get("usd_per_million_input_tokens"),
        usd_per_million_cached_input_tokens=get("usd_per_million_cached_input_tokens"),
        usd_per_million_output_tokens=get("usd_per_million_output_tokens"),
        currency=money.currency,
        currency_per_usd=money.per_usd,
    )
