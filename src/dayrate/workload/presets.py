"""Demand by use: chat, code completion, RAG, … each measured or marked assumed."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dayrate.catalog import store
from dayrate.errors import UnknownName
from dayrate.evidence import Estimate, Grade, Source
from dayrate.workload.demand import LengthDistribution
from dayrate.workload.lengths import from_quantiles, lognormal, scaled
from dayrate.workload.profile import Profile
from dayrate.workload.shape import day_shape, source_of

__all__ = ["Preset", "preset", "preset_names", "profile_of_preset"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """One shipped use; ``basis`` says why its lengths can be believed, or not."""

    id: str
    title: str
    aliases: tuple[str, ...]
    grade: Grade
    basis: str
    input_length: LengthDistribution
    output_length: LengthDistribution
    input_mean_range: tuple[float, float]  # low, high; equal where measured [token]
    output_mean_range: tuple[float, float]
    cached_input_frac: Estimate  # share of input tokens [1]
    cached_basis: str
    day_shape: str
    day_shape_grade: Grade  # assumed where the shape is another service's
    tokenizer: str | None
    requests_per_user_per_day: float | None
    user_basis: str
    source: Source


def preset_names() -> tuple[str, ...]:
    """Ids of the shipped presets."""
    return tuple(_rows())


def preset(name: str) -> Preset:
    """Look up a preset by id or alias.

    >>> preset("chat").grade.label, round(preset("chat").input_length.mean_tokens)
    ('measured', 1155)
    """
    rows = _rows()
    by_alias = {alias: id_ for id_, row in rows.items() for alias in row["aliases"]}
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    id_ = by_alias.get(key, key)
    if id_ not in rows:
        raise UnknownName("preset", name, [*rows, *by_alias])
    return _preset(id_)


def profile_of_preset(name: str) -> Profile:
    """Take what a preset says of a service's requests."""
    p = preset(name)
    shape = day_shape(p.day_shape)
    notes = (
        () if p.grade is Grade.MEASURED else (f"{p.id} is an assumption: {p.basis}",)
    )
    return Profile(
        name=p.id,
        input_length=p.input_length,
        output_length=p.output_length,
        length_grade=p.grade,
        cached_input_frac=p.cached_input_frac.mid,
        cached_source=p.cached_basis,
        shape=replace(shape, grade=max(shape.grade, p.day_shape_grade)),
        source=p.source,
        tokenizer=p.tokenizer,
        requests_per_user_per_day=p.requests_per_user_per_day,
        user_source=p.user_basis,
        notes=notes,
    )


@functools.cache
def _rows() -> Mapping[str, Row]:
    return {r["id"]: r for r in store.rows("workloads") if r["kind"] == "preset"}


@functools.cache
def _preset(id_: str) -> Preset:
    row = _rows()[id_]
    grade, source = Grade[row["grade"].upper()], source_of(row)
    cached, user = row["cached_input_frac"], row.get("requests_per_user_per_day")
    lengths = {side: _length(row[side], side) for side in ("input", "output")}
    return Preset(
        id=id_,
        title=row["title"],
        aliases=tuple(row["aliases"]),
        grade=grade,
        basis=row["basis"],
        input_length=lengths["input"],
        output_length=lengths["output"],
        input_mean_range=_range(row["input"], lengths["input"]),
        output_mean_range=_range(row["output"], lengths["output"]),
        cached_input_frac=Estimate(
            low=float(cached["low"]),
            mid=float(cached["mid"]),
            high=float(cached["high"]),
            grade=Grade.ASSUMED,
            source=source,
        ),
        cached_basis=cached["basis"],
        day_shape=row["day_shape"],
        day_shape_grade=Grade[row["day_shape_grade"].upper()],
        tokenizer=row["tokenizer"],
        requests_per_user_per_day=user["value"] if user else None,
        user_basis=f"{user['title']} ({user['date']}), per {user['per']}"
        if user
        else "",
        source=source,
    )


def _length(spec: Row, side: str) -> LengthDistribution:
    """Lengths as the row states them: of another preset, by quantiles or by a fit."""
    if "like" in spec:
        other = _length(_rows()[spec["like"]][side], side)
        return scaled(other, mean_tokens=spec.get("mean", other.mean_tokens))
    if "quantiles" in spec:
        return from_quantiles(spec["quantiles"], mean_tokens=spec["mean"])
    return lognormal(mean_tokens=spec["mean"], cv=spec["cv"])


def _range(spec: Row, lengths: LengthDistribution) -> tuple[float, float]:
    mean = lengths.mean_tokens
    return float(spec.get("low", mean)), float(spec.get("high", mean))
