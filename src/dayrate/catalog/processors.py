"""Rated power of a processor's core, by its name or, where it hides it, its series."""

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from dayrate.catalog.load import source
from dayrate.catalog.store import Row, rows
from dayrate.evidence import Source

__all__ = ["CorePower", "core_power"]


@dataclass(frozen=True, slots=True)
class CorePower:
    """Rated power of a package over its physical cores: one part's, or a series'."""

    low_w: float
    mid_w: float
    high_w: float
    what: str
    source: Source


def core_power(name: str, *, family: int = 0, model: int = 0) -> CorePower | None:
    """Return the rated power of a core, or None where the processor is not known.

    ``family`` and ``model`` are what the processor itself reports; a virtual machine
    often gives them and no part number, and then the whole series bounds the figure.

    Examples
    --------
    >>> core_power("AMD EPYC 9654 96-Core Processor").mid_w
    3.75
    >>> hidden = core_power("AMD EPYC", family=25, model=17)
    >>> hidden.what, round(hidden.low_w, 2), hidden.high_w
    ('a part of AMD EPYC 9004', 3.45, 20.0)
    >>> core_power("abacus") is None
    True
    """
    for row in rows("processors"):
        for part, (cores, watts) in row["cores_and_w"].items():
            if _names(str(part), name):
                each = watts / cores
                what = f"{part} ({watts:g} W, {cores} cores)"
                return CorePower(each, each, each, what, source(row))
    series = [r for r in rows("processors") if _reports(r, family, model)]
    return _of_series(series[0]) if series else None


def _names(part: str, name: str) -> bool:
    """Whether a processor's name holds a part number as a word of its own."""
    return re.search(rf"(?<![\w+-]){re.escape(part)}(?![\w+])", name) is not None


def _reports(row: Row, family: int, model: int) -> bool:
    cpuid: Mapping[str, object] = row.get("cpuid", {})
    models = cpuid.get("models", ())
    assert isinstance(models, list | tuple)
    return cpuid.get("family") == family and model in models


def _of_series(row: Row) -> CorePower:
    each = [watts / cores for cores, watts in row["cores_and_w"].values()]
    middle = statistics.median(each)
    what = f"a part of {row['series']}"
    return CorePower(min(each), middle, max(each), what, source(row))
