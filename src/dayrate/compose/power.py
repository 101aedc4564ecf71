"""From load to kilowatt-hours: servers, their idle draw, and the facility."""

from dayrate.compose.held import Held
from dayrate.compose.money import Facility
from dayrate.compose.resolve import Resolved
from dayrate.energy.facility import carbon_kg, facility_energy_j
from dayrate.energy.power import node_power_w
from dayrate.scenario.result import Energy
from dayrate.scenario.working import Working
from dayrate.units import DAY_S, KWH_J

__all__ = ["day_of_energy", "serving_energy"]


def serving_energy(r: Resolved, held: Held, site: Facility, w: Working) -> Energy:
    """Draw of the day at its mean load, idle machines included.

    Power is linear in the load, so that hours at their own loads add up to the same.
    """
    server = r.server
    n = server.accelerators
    w.cited("server.accelerators", float(n), "1", server.source)
    idle_w = w.estimate("server.idle_w", server.idle_w, "W")
    busy_w = w.estimate("server.busy_w", server.busy_w, "W")
    load, hours = held.utilisation, held.accelerator_hours / n
    watts = node_power_w(idle_w=idle_w, busy_w=busy_w, utilisation_frac=load)
    mean_w = float(watts) * hours / 24
    w.solved("serving.utilisation", load, "1", "mean demand over capacity")
    w.derive(
        "energy.server_hours",
        hours,
        "h/day",
        "deployment.accelerator_hours / server.accelerators",
    )
    w.derive(
        "energy.mean_it_power_kw",
        mean_w / 1e3,
        "kW",
        "energy.server_hours / 24 * (server.idle_w + (server.busy_w - server.idle_w)"
        " * serving.utilisation) / 1000",
    )
    return day_of_energy(mean_w, r.workload.requests_per_day, site, w)


def day_of_energy(
    mean_w: float, requests: float | None, site: Facility, w: Working
) -> Energy:
    """Energy at the meter of the facility, for a mean draw already written down."""
    energy_j = facility_energy_j(it_power_w=mean_w, pue=site.pue, duration_s=DAY_S)
    kwh = float(energy_j) / KWH_J
    w.derive(
        "energy.kwh_per_day",
        kwh,
        "kWh/day",
        "energy.mean_it_power_kw * 24 * economics.pue",
    )
    kg = carbon_kg(energy_j=energy_j, kg_per_j=site.kg_co2_per_kwh / KWH_J)
    w.derive(
        "energy.kg_co2_per_day",
        float(kg),
        "kg/day",
        "energy.kwh_per_day * economics.carbon_kg_per_kwh",
    )
    wh = None
    if requests:
        wh = w.derive(
            "energy.wh_per_request",
            kwh * 1e3 / requests,
            "Wh",
            "energy.kwh_per_day * 1000 / workload.requests_per_day",
        )
    return Energy(kwh, wh, mean_w / 1e3, site.pue, float(kg))
