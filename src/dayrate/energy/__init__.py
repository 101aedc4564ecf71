"""From load to watts, joules, money and carbon."""

from dayrate.energy.facility import carbon_kg, electricity_usd, facility_energy_j
from dayrate.energy.power import (
    ServerParts,
    component_power_w,
    component_powers_w,
    node_power_w,
    server_parts,
    serving_power_w,
)

__all__ = [
    "ServerParts",
    "carbon_kg",
    "component_power_w",
    "component_powers_w",
    "electricity_usd",
    "facility_energy_j",
    "node_power_w",
    "server_parts",
    "serving_power_w",
]
