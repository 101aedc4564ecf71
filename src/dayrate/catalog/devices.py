"""Accelerators and servers by name."""

import functools
from collections.abc import Mapping

from dayrate.catalog.hardware import Accelerator, PartPowers, Server, ServingPower
from dayrate.catalog.load import (
    Row,
    estimate,
    generic_server,
    parse_accelerator,
    parse_parts,
    parse_server,
)
from dayrate.catalog.local import is_local, local_rows
from dayrate.catalog.names import NameIndex, name_index
from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput

__all__ = [
    "accelerator",
    "accelerator_ids",
    "parts",
    "parts_ids",
    "server",
    "server_for",
    "server_ids",
    "serving_power",
]


def accelerator_ids() -> tuple[str, ...]:
    """Ids of all accelerators, in the order of the data files."""
    return tuple(r["id"] for r in rows("accelerators"))


def accelerator(name: str) -> Accelerator:
    """Return the accelerator that ``name`` means.

    Raises
    ------
    AmbiguousName
        The name fits several accelerators.
    UnknownName
        It fits none.
    InvalidInput
        It is this machine, which was not calibrated.

    Examples
    --------
    >>> accelerator("h100_sxm").id, accelerator("910B").id
    ('h100-sxm-80gb', 'ascend-910b')
    """
    if is_local(name):
        [row] = local_rows(name)["accelerators"]
        return parse_accelerator(row, _links())
    return _shipped_accelerator(name)


@functools.cache
def _shipped_accelerator(name: str) -> Accelerator:
    found = _accelerator_names().resolve(name)
    return parse_accelerator(_accelerator_rows()[found], _links())


def server_ids() -> tuple[str, ...]:
    """Ids of all catalogued servers."""
    return tuple(_rows_of("server"))


@functools.cache
def server(name: str) -> Server:
    """Return the server that ``name`` means.

    >>> server("DGX H100").accelerators
    8
    """
    found = name_index("server", {i: () for i in _rows_of("server")}).resolve(name)
    return parse_server(_rows_of("server")[found], _links())


def server_for(accelerator_id: str) -> Server:
    """Return the machine an accelerator usually sits in.

    A machine that is not in the catalogue is derived from its accelerators with the
    generic row of the data, and every figure of it is graded assumed.

    Raises
    ------
    InvalidInput
        There is neither a machine nor a published power to derive one from, or it is
        this machine and nobody knows its power.

    Examples
    --------
    >>> server_for("h100-sxm-80gb").id, server_for("l40s").id
    ('dgx-h100', 'generic-l40s')
    """
    if is_local(accelerator_id):
        return _local_server(accelerator_id)
    device = accelerator(accelerator_id)
    for row in _rows_of("server").values():
        if device.id in row["accelerators"]:
            return parse_server(row, _links())
    return generic_server(device, _rows_of("generic")["generic"], _links())


def _local_server(name: str) -> Server:
    for row in local_rows(name)["servers"]:
        return parse_server(row, _links())
    raise InvalidInput(
        "The power of this machine is not known. Measure it at full load, or look it "
        "up, and run `dayrate measure calibrate --full-load-watts` with it."
    )


def parts_ids() -> tuple[str, ...]:
    """Ids of the sets of part powers."""
    return tuple(_rows_of("parts"))


def parts(name: str) -> PartPowers:
    """Return power per CPU, per byte of memory and so on, by the name of the set.

    >>> parts("article").cpu_w.mid
    150.0
    """
    found = name_index("server", {i: () for i in _rows_of("parts")}).resolve(name)
    return parse_parts(_rows_of("parts")[found])


def serving_power(accelerator_id: str) -> ServingPower:
    """Power of one accelerator while serving, and idle; measured where it was.

    Raises
    ------
    InvalidInput
        The power of the accelerator is not published.

    Examples
    --------
    >>> round(serving_power("h100-sxm-80gb").serving_w.mid)
    518
    """
    device = accelerator(accelerator_id)
    if device.tdp_w is None:
        raise InvalidInput(
            f"The power of {device.id} is not published. Choose another accelerator."
        )
    known = _rows_of("power")
    row = known.get(device.id, known["default"])
    idle, idle_factor = (
        (row["idle_w"], 1.0)
        if "idle_w" in row
        else (row["idle_frac_of_tdp"], device.tdp_w)
    )
    return ServingPower(
        device.id,
        serving_w=estimate(row, row["serving_frac_of_tdp"], factor=device.tdp_w),
        idle_w=estimate(row, idle, factor=idle_factor),
    )


@functools.cache
def _accelerator_rows() -> Mapping[str, Row]:
    return {r["id"]: r for r in rows("accelerators")}


@functools.cache
def _accelerator_names() -> NameIndex:
    known = _accelerator_rows().items()
    return name_index(
        "accelerator", {i: (r["name"], *r.get("aliases", ())) for i, r in known}
    )


@functools.cache
def _links() -> Mapping[str, Row]:
    return {r["id"]: r for r in rows("links")}


@functools.cache
def _rows_of(kind: str) -> Mapping[str, Row]:
    return {r["id"]: r for r in rows("servers") if r["kind"] == kind}
