"""The one composition: from a question to the daily bill, with its working.

``quote()`` is what the command line, the page and a notebook call. It walks demand,
physics, serving, energy and cost once, and everything it uses is in the answer's
ledger.
"""

import dataclasses
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from dayrate.catalog.price import Pricing
from dayrate.compose.bill import pricing_of, write_total
from dayrate.compose.day import price_day
from dayrate.compose.deploy import Plan, deploy, plan_of
from dayrate.compose.money import exchange, facility
from dayrate.compose.parts import check_alone, parts_cost, parts_power_w
from dayrate.compose.power import day_of_energy
from dayrate.compose.published import check_flags, published_quote
from dayrate.compose.remarks import remarks
from dayrate.compose.resolve import resolve
from dayrate.compose.speed import deployment_of, serving_at_peak
from dayrate.compose.spread import intervals_of
from dayrate.compose.unit import unit_bill
from dayrate.errors import InvalidInput
from dayrate.scenario.answer import Quote
from dayrate.scenario.flags import nested, overlaid
from dayrate.scenario.read import ScenarioFile, read_scenario
from dayrate.scenario.result import Bill, Deployment, Serving
from dayrate.scenario.schema import Scenario, scenario_from
from dayrate.scenario.working import Working

__all__ = ["Quote", "answer", "quote"]

Source = str | PathLike[str] | Mapping[str, Any] | ScenarioFile | None


def quote(
    scenario: Source = None, /, *, simulate: bool = False, seed: int = 0, **flags: Any
) -> Quote:
    """Price a day: what it costs to serve a model, and how that follows.

    Parameters
    ----------
    scenario
        Id of a shipped scenario, path of a YAML file, or a mapping with the sections
        model, workload, slo, deployment and economics.
    simulate
        Serve the day request by request, instead of in closed form.
    seed
        Of the requests that are drawn.
    **flags
        Keys of any section by their flat names, as on the command line:
        ``model``, ``accelerator``, ``isl``, ``osl``, ``requests_per_day``, ``ttft``,
        ``pricing`` ... They win over the scenario.

    Returns
    -------
    Quote
        Deployment, speed, energy and bill; ``explain()`` shows the working.

    Raises
    ------
    InvalidInput
        Something given is unknown, malformed or contradictory.
    NoPlan
        Nothing fits the memory or meets the targets.

    Examples
    --------
    >>> day = quote(
    ...     model="meta-llama/Llama-3.1-70B-Instruct", accelerator="H100",
    ...     isl=1155, osl=211, requests_per_day=500_000)
    >>> day.serving.input_tokens_per_day
    577500000.0
    """
    return answer(_file(scenario), flags, seed=seed if simulate else None)


def answer(
    file: ScenarioFile, flags: Mapping[str, Any], *, seed: int | None = None
) -> Quote:
    """Answer a scenario file with flags on top of it; simulate it with a seed."""
    sections = overlaid(file.sections, nested(flags))
    scenario = scenario_from(sections)
    if file.replay is None or seed is not None:
        return _own(scenario, seed)
    if not file.has_sections:
        check_flags(file.id, flags)
    engine = _own(scenario) if file.has_sections else None
    return published_quote(scenario, file.replay, engine)


def _file(scenario: Source) -> ScenarioFile:
    if isinstance(scenario, ScenarioFile):
        return scenario
    if scenario is None:
        return ScenarioFile("flags", {})
    if isinstance(scenario, Mapping):
        return ScenarioFile("mapping", scenario)
    return read_scenario(fspath(scenario))


def _own(scenario: Scenario, seed: int | None = None) -> Quote:
    if scenario.deployment.server is not None:
        if seed is not None:
            raise InvalidInput(
                "A server priced from its parts serves no requests, so --simulate does "
                "not apply. Leave it out."
            )
        return _server_quote(scenario)
    if seed is not None:
        return _simulated_quote(scenario, seed)
    return _serving_quote(scenario)


def _simulated_quote(scenario: Scenario, seed: int) -> Quote:
    """Demand → deployment → every request of a day → energy → bill."""
    from dayrate.compose import simulated as of  # noqa: PLC0415 - slow

    w = Working()
    r = resolve(scenario, w)
    pricing = pricing_of(scenario.economics, r.accelerator.id, w)
    plan = plan_of(scenario, r, w)
    sized = of.Sized(scenario, r, plan, pricing, w.ledger)
    simulated = of.simulate_day(sized, seed, w)
    serving, point = of.serving_simulated(scenario, r, plan, simulated, w)
    day = price_day(scenario.economics, r, simulated.held, pricing, w)
    write_total(day.cost, w)
    bill = unit_bill(day.cost, r, plan, point, day.money)
    used = simulated.held.utilisation
    return Quote(
        scenario=scenario,
        deployment=of.deployment_simulated(r, plan, pricing, simulated),
        serving=serving,
        energy=day.energy,
        bill=dataclasses.replace(bill, used_frac=used),
        ledger=w.ledger,
        omissions=(*day.left_out, *_NOT_SIMULATED),
        notes=(
            *simulated.day.notes,
            *remarks(scenario.economics, pricing, r.accelerator.id, used),
            *r.workload.notes,
            *r.model.notes,
        ),
        simulated=simulated.day.to_dict(),
    )


def _serving_quote(scenario: Scenario) -> Quote:
    """Demand → deployment → speed → energy → bill."""
    w = Working()
    r = resolve(scenario, w)
    pricing = pricing_of(scenario.economics, r.accelerator.id, w)
    plan = deploy(scenario, r, w)
    serving, point = serving_at_peak(scenario, r, plan, w)
    before = w.ledger
    day = price_day(scenario.economics, r, plan, pricing, w)
    write_total(day.cost, w)
    bill = unit_bill(day.cost, r, plan, point, day.money)

    def total_usd(other: Plan) -> float:
        if pricing is not Pricing.OWNED and scenario.economics.offer is None:
            held = other.accelerator_hours / plan.accelerator_hours
            rent = float(day.cost.terms_usd["accelerators"])
            return float(day.cost.total_usd) + rent * (held - 1)  # rent is by the hour
        aside = Working(before)
        priced = price_day(scenario.economics, r, other, pricing, aside)
        return float(priced.cost.total_usd)

    intervals = intervals_of(r, plan, serving, total_usd=total_usd, w=w)
    return Quote(
        scenario=scenario,
        deployment=deployment_of(r, plan, pricing),
        serving=serving,
        energy=day.energy,
        bill=bill,
        ledger=w.ledger,
        intervals=intervals,
        omissions=(*day.left_out, *_NOT_MODELLED),
        notes=(
            *_unused(scenario),
            *remarks(scenario.economics, pricing, r.accelerator.id, plan.utilisation),
            *r.workload.notes,
            *r.model.notes,
        ),
    )


def _unused(scenario: Scenario) -> tuple[str, ...]:
    if not scenario.autoscale.model_fields_set:
        return ()
    return ("autoscaling is not in the closed form; --simulate follows it",)


#: What the closed form does not look at, said with every answer that uses it.
_NOT_MODELLED = (
    "start-up, updates and failures of replicas, beyond the head-room",
    "training, fine-tuning and evaluation of the model",
)
_NOT_SIMULATED = (
    "updates and failures of replicas",
    "intervals: they are of the closed form",
    "training, fine-tuning and evaluation of the model",
)


def _server_quote(scenario: Scenario) -> Quote:
    """Price a machine from its parts: no model, so no tokens."""
    w = Working()
    server = scenario.deployment.server
    assert server is not None
    check_alone(scenario)
    money = exchange(scenario.economics, w)
    site = facility(money, Pricing.OWNED, w)
    energy = day_of_energy(parts_power_w(server, w), None, site, w)
    assert energy.kwh_per_day is not None
    cost, left_out = parts_cost(server, energy.kwh_per_day, money, site)
    write_total(cost, w)
    found = str(w.ledger["server.accelerator"].value) if server.accelerator else None
    return Quote(
        scenario=scenario,
        deployment=Deployment(
            accelerator=found,
            accelerators=float(server.accelerators * server.count),
            servers=float(server.count),
            pricing=Pricing.OWNED.value,
        ),
        serving=Serving(),
        energy=energy,
        bill=Bill(cost=cost, currency=money.currency, currency_per_usd=money.per_usd),
        ledger=w.ledger,
        omissions=left_out,
    )
