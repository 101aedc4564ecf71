"""Accuracy may only get better: recorded errors on the shipped measurements.

``python -m dayrate.validation.ratchet`` lowers the recorded figures where they have
become better, and fails where they have become worse. Another table starts anew, and so
may a fit of fewer factors, by deleting the file: errors on rows that were fitted rise
then. Those on rows that were held out, as the fit's own cross-validation wrote them
down, are recorded too, and are what counts.
"""

import hashlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dayrate.catalog.store import rows
from dayrate.validation.calibration import Calibration, Shipped
from dayrate.validation.predict import Predictions, predictions
from dayrate.validation.published import FILE, published_table
from dayrate.validation.score import GROUP, Score, score
from dayrate.validation.table import Measurement

__all__ = ["FIGURES", "PARTS", "measured", "part_of", "recorded", "worse"]

RATCHET = FILE.with_name("ratchet.yaml")
FIGURES = ("macro_abs_log_error", "median_abs_log_error", "p90_abs_log_error")
PARTS = ("inference", "closed loop, tpot_ms", "closed loop, ttft_ms")
#: Parts of the fit's cross-validation, by their names in its file.
_HELD_OUT = {
    "inference.csv": "held out, inference",
    "serving_closed_loop.csv, tpot_ms": "held out, closed loop, tpot_ms",
    "serving_closed_loop.csv, ttft_ms": "held out, closed loop, ttft_ms",
}
_DIGITS = 3
HEAD = """\
# Errors on published.csv that must not get worse; lowered by
# python -m dayrate.validation.ratchet
"""

Figures = Mapping[str, Mapping[str, float]]


def part_of(row: Measurement) -> str:
    """Name the part of the score a row belongs to: closed loops are harder.

    They come from servers under load, whose waiting counts.
    """
    if row.keys["source"].startswith("NVIDIA aiconfigurator"):
        return f"closed loop, {row.metric}"
    return PARTS[0]


def measured(calibration: Calibration | None = None) -> Figures:
    """Errors on the shipped rows now, by part, and those of the fit held out. [1]"""
    found, _ = predictions(published_table().rows, calibration or Shipped())
    shipped = {
        part: {f: getattr(s, f) for f in FIGURES} for part, s in by_part(found).items()
    }
    return {**shipped, **held_out()}


def held_out() -> Figures:
    """Errors of the shipped fit on pairs that it had not seen, as it recorded them."""
    (fit,) = (r for r in rows("calibration") if "cross_validated" in r)
    return {
        _HELD_OUT[line["of"]]: {f: line[f.split("_")[0]] for f in FIGURES}
        for line in fit["cross_validated"]
        if line["of"] in _HELD_OUT
    }


def by_part(found: Predictions) -> dict[str, Score]:
    """Score each part."""
    scores = {}
    for part in PARTS:
        where = [i for i, r in enumerate(found.rows) if part_of(r) == part]
        groups = found.groups(GROUP)
        scores[part] = score(found.log_error[where], [groups[i] for i in where])
    return scores


def recorded() -> tuple[str, Figures]:
    """Digest of the table the figures are of, and the figures."""
    found = [r for r in rows("measurements") if r["kind"] == "ratchet"]
    table = next((r["table"] for r in found), "")
    return table, {r["id"]: {f: r[f] for f in FIGURES} for r in found}


def digest() -> str:
    """SHA-256 of the shipped table."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def worse(now: Figures, before: Figures) -> list[str]:
    """Say which figures got worse than recorded.

    >>> worse({"a": {"p90": 0.5}}, {"a": {"p90": 0.4}})
    ['a: p90 is 0.500, recorded 0.400']
    """
    return [
        f"{part}: {name} is {now[part][name]:.3f}, recorded {value:.3f}"
        for part, figures in before.items()
        for name, value in figures.items()
        if now[part][name] > value
    ]


def main(file: Path = RATCHET) -> int:
    """Lower what became better; return 1 if something became worse."""
    now, (table, before) = measured(), recorded()
    same = table == digest()
    kept = {
        part: {
            name: min(_up(value), before[part][name]) if same else _up(value)
            for name, value in figures.items()
        }
        for part, figures in now.items()
    }
    file.write_text(HEAD + _yaml(kept), encoding="utf-8")
    complaints = worse(now, before) if same else []
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


def _up(value: float) -> float:
    """Round up, so that another machine's last digit does not count."""
    scale = 10.0**_DIGITS
    return math.ceil(value * scale) / scale


def _yaml(figures: Figures) -> str:
    found: list[dict[str, Any]] = [
        {"id": part, "kind": "ratchet", "table": digest(), **values}
        for part, values in figures.items()
    ]
    return yaml.safe_dump(found, sort_keys=False)


if __name__ == "__main__":
    sys.exit(main())
