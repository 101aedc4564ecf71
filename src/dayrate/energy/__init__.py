"""From load to watts, joules and carbon."""

from dayrate.energy.facility import carbon_kg, facility_energy_j
from dayrate.energy.power import (
    ServerParts,
    component_power_w,
    component_powers_w,
    node_power_w,
    server_parts,
)

__all__ = [
    "ServerParts",
    "carbon_kg",
    "component_power_w",
    "component_powers_w",
    "facility_energy_j",
    "node_power_w",
    "server_parts",
]
