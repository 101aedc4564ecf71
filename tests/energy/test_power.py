"""Watts by load and by part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import parts
from dayrate.energy import (
    ServerParts,
    component_power_w,
    component_powers_w,
    node_power_w,
    server_parts,
)
from dayrate.errors import InvalidInput

watts = st.floats(0, 1e5)
shares = st.floats(0, 1)


@given(idle=watts, more=watts, u=shares, gamma=st.floats(0.2, 3))
def test_node_power_lies_between_idle_and_busy(
    idle: float, more: float, u: float, gamma: float
) -> None:
    power = node_power_w(
        idle_w=idle, busy_w=idle + more, utilisation_frac=u, gamma=gamma
    )
    assert idle <= power <= (idle + more) * (1 + 1e-12)


@given(idle=watts, more=watts, low=shares, high=shares)
def test_node_power_never_falls_with_load(
    idle: float, more: float, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    at_low, at_high = (
        node_power_w(idle_w=idle, busy_w=idle + more, utilisation_frac=u)
        for u in (low, high)
    )
    assert at_low <= at_high


@pytest.mark.parametrize("u", [-0.1, 1.1, float("nan")])
def test_node_power_rejects_an_impossible_load(u: float) -> None:
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        node_power_w(idle_w=1.0, busy_w=2.0, utilisation_frac=np.array([0.5, u]))


def test_arrays_equal_scalars() -> None:
    u = np.linspace(0, 1, 5)
    array = node_power_w(idle_w=100.0, busy_w=900.0, utilisation_frac=u, gamma=0.7)
    scalar = [
        node_power_w(idle_w=100.0, busy_w=900.0, utilisation_frac=x, gamma=0.7)
        for x in u
    ]
    np.testing.assert_array_equal(array, scalar)


def test_the_calculator_of_the_article() -> None:
    """32 CPUs, 128 GB, 1 TB, 1000 Mbit/s: 16,110 W with the article's coefficients."""
    server = server_parts(
        parts("article"),
        cpus=32,
        memory_bytes=128e9,
        storage_bytes=1e12,
        network_bit_per_s=1000e6,
    )
    powers = component_powers_w(server)
    expected = {"cpus": 4800, "memory": 1280, "storage": 30, "network": 10_000}
    assert powers == pytest.approx({**expected, "accelerators": 0})
    assert component_power_w(server) == pytest.approx(16_110, rel=1e-12)


def test_realistic_coefficients_shift_it_to_the_processors() -> None:
    server = server_parts(
        parts("realistic"),
        cpus=32,
        memory_bytes=128e9,
        storage_bytes=1e12,
        network_bit_per_s=1000e6,
    )
    powers = component_powers_w(server)
    assert powers["memory"] == pytest.approx(50.2, abs=0.1)
    assert powers["storage"] == pytest.approx(1.2)
    assert powers["network"] == pytest.approx(5)
    assert powers["cpus"] == pytest.approx(8960)


@given(n=st.integers(0, 100), accelerator_w=watts)
def test_accelerators_add_to_the_parts(n: int, accelerator_w: float) -> None:
    bare = ServerParts(2, 300.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    full = ServerParts(2, 300.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, n, accelerator_w)
    added = component_power_w(full) - component_power_w(bare)
    assert added == pytest.approx(n * accelerator_w, abs=1e-6)


def test_parts_broadcast() -> None:
    servers = ServerParts(np.array([1.0, 2.0]), 300.0, 0, 0, 0, 0, 0, 0)
    np.testing.assert_array_equal(component_power_w(servers), [300.0, 600.0])
