"""From what a user says of the demand to a `Workload`, with its working.

Precedence, strongest first:

* lengths: ``isl``/``osl``, then tokens per day over requests per day, then the trace or
  preset. A given mean scales the distribution of the trace or preset; without one every
  request has that length.
* requests per day: said outright, then users × requests per user (a preset may know the
  second), then tokens per day over tokens per request, then the trace.
* day shape and cached share: said outright, then the trace or preset; with neither,
  the default shape and no cached tokens, both marked assumed.

Two answers to one question are an error, unless they agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dayrate.errors import InvalidInput
from dayrate.evidence import Grade, Ledger, Source
from dayrate.workload.demand import DayShape, LengthDistribution, Workload
from dayrate.workload.lengths import fixed, scaled
from dayrate.workload.presets import profile_of_preset
from dayrate.workload.profile import Profile, profile_of_trace
from dayrate.workload.shape import DEFAULT_SHAPE, day_shape
from dayrate.workload.traces import Trace, read_trace

__all__ = [
    "DemandInput",
    "build_workload",
    "workload_from_preset",
    "workload_from_trace",
]

REQUESTS = "workload.requests_per_day"
USERS = "workload.users"
PER_USER = "workload.requests_per_user_per_day"
CACHED = "workload.cached_input_frac"
CACHED_TOTAL = "workload.cached_input_tokens_per_day"
SIDES = ("input", "output")
LENGTH = {side: f"workload.{side}_tokens_per_request" for side in SIDES}
TOTAL = {side: f"workload.{side}_tokens_per_day" for side in SIDES}
FLAG = {"input": "--isl", "output": "--osl"}
_AGREE = 1e-3


@dataclass(frozen=True, slots=True)
class DemandInput:
    """What may be said of a demand; None is not said."""

    preset: str | None = None
    trace_path: str | Path | None = None
    trace_model: str | None = None  # of a trace of several models
    users: float | None = None
    requests_per_user_per_day: float | None = None
    requests_per_day: float | None = None
    isl: float | None = None  # mean input length [token]
    osl: float | None = None  # mean output length [token]
    cached_input_frac: float | None = None
    day_shape: str | Sequence[float] | None = None
    input_tokens_per_day: float | None = None  # cached ones included
    cached_input_tokens_per_day: float | None = None
    output_tokens_per_day: float | None = None


#: Field of the input, line of the working, unit.
_FACTS = (
    ("users", USERS, "user"),
    ("requests_per_user_per_day", PER_USER, "request/user/day"),
    ("requests_per_day", REQUESTS, "request/day"),
    ("isl", LENGTH["input"], "token/request"),
    ("osl", LENGTH["output"], "token/request"),
    ("input_tokens_per_day", TOTAL["input"], "token/day"),
    ("cached_input_tokens_per_day", CACHED_TOTAL, "token/day"),
    ("output_tokens_per_day", TOTAL["output"], "token/day"),
    ("cached_input_frac", CACHED, "1"),
)


def build_workload(demand: DemandInput) -> Workload:
    """Resolve what was said into a day's demand; see the module for precedence."""
    if demand.preset is not None and demand.trace_path is not None:
        raise InvalidInput(
            f"Both a preset ({demand.preset}) and a trace ({demand.trace_path}) are "
            "given, and each says how long requests are. Give one of them."
        )
    facts = _facts(demand)
    profile = None
    if demand.trace_path is not None:
        trace = read_trace(demand.trace_path, model=demand.trace_model)
        profile = profile_of_trace(trace)
    elif demand.preset is not None:
        profile = profile_of_preset(demand.preset)
    return _resolve(facts, demand.day_shape, profile)


def workload_from_trace(
    trace: Trace,
    *,
    requests_per_day: float | None = None,
    cached_input_frac: float | None = None,
    cache_blocks: float = math.inf,
    shape: str | Sequence[float] | None = None,
) -> Workload:
    """Take a day's demand from a trace; what is given replaces what it says."""
    demand = DemandInput(
        requests_per_day=requests_per_day, cached_input_frac=cached_input_frac
    )
    profile = profile_of_trace(trace, cache_blocks=cache_blocks)
    return _resolve(_facts(demand), shape, profile)


def workload_from_preset(name: str, requests_per_day: float) -> Workload:
    """Take a day's demand from a preset.

    >>> workload_from_preset("chat", 1000).cached_input_frac
    0.0
    """
    return build_workload(DemandInput(preset=name, requests_per_day=requests_per_day))


def _facts(demand: DemandInput) -> Ledger:
    """Check what was said, each for itself, and write it down as given."""
    ledger = Ledger()
    for key, name, unit in _FACTS:
        value = getattr(demand, key)
        if value is None:
            continue
        _check(key, value)
        ledger = ledger.fact(
            name, float(value), unit, grade=Grade.GIVEN, source="given by the user"
        )
    pairs = (
        (REQUESTS, USERS, "--requests-per-day or --users with --requests-per-user"),
        (CACHED, CACHED_TOTAL, "the cached share or the cached tokens per day"),
    )
    for one, other, choice in pairs:
        if one in ledger and other in ledger:
            raise InvalidInput(
                f"{_plain(one)} and {_plain(other)} answer the same question. "
                f"Give {choice}."
            )
    if PER_USER in ledger and USERS not in ledger:
        raise InvalidInput(
            "Requests per user are given and users are not. Add --users."
        )
    return ledger


def _check(key: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{_plain(key)} is {value!r}; give a number.")
    if "cached" in key:
        share = key.endswith("_frac")
        if not 0 <= value <= (1 if share else math.inf) or math.isinf(value):
            allowed = "a share between 0 and 1" if share else "0 or more, and finite"
            raise InvalidInput(f"{_plain(key)} is {value:g}; give {allowed}.")
    elif not 0 < value < math.inf:
        raise InvalidInput(
            f"{_plain(key)} is {value:g}; give a positive, finite number."
        )


def _resolve(
    facts: Ledger,
    shape: str | Sequence[float] | None,
    profile: Profile | None,
) -> Workload:
    ledger = _with_requests(facts, profile)
    for side in SIDES:
        ledger = _with_length(ledger, side, profile)
        ledger = _with_total(ledger, side)
    ledger = _with_cached(ledger, profile)
    day = _shape(shape, profile)
    ledger = _with_shape(ledger, day)
    input_length = _distribution(ledger, "input", profile)
    output_length = _distribution(ledger, "output", profile)
    grades = [ledger[LENGTH[side]].grade for side in SIDES]
    return Workload(
        name=profile.name if profile else "given",
        requests_per_day=_value(ledger, REQUESTS),
        input_length=input_length,
        output_length=output_length,
        cached_input_frac=_value(ledger, CACHED),
        shape=day,
        source=profile.source if profile else Source("given by the user"),
        assumed=Grade.ASSUMED in grades,
        tokenizer=profile.tokenizer if profile else None,
        notes=_notes(ledger, profile, day),
        evidence=ledger,
    )


def _with_requests(ledger: Ledger, profile: Profile | None) -> Ledger:
    if REQUESTS in ledger:
        return ledger
    if USERS in ledger:
        ledger = _with_per_user(ledger, profile)
        value = _value(ledger, USERS) * _value(ledger, PER_USER)
        formula = f"{USERS} * {PER_USER}"
        return ledger.derive(REQUESTS, value, "request/day", formula=formula)
    totals = [side for side in reversed(SIDES) if TOTAL[side] in ledger]
    known = [side for side in totals if LENGTH[side] in ledger]
    if known or (totals and profile):
        side = (known or totals)[0]
        ledger = _with_length(ledger, side, profile)
        value = _value(ledger, TOTAL[side]) / _value(ledger, LENGTH[side])
        formula = f"{TOTAL[side]} / {LENGTH[side]}"
        return ledger.derive(REQUESTS, value, "request/day", formula=formula)
    if totals:
        raise InvalidInput(
            "Tokens per day are given, but not the length of a request. Give --preset, "
            f"--requests-per-day, or {' or '.join(FLAG[s] for s in totals)}."
        )
    if profile is not None and profile.requests_per_day is not None:
        return ledger.fact(
            REQUESTS,
            profile.requests_per_day,
            "request/day",
            grade=profile.rate_grade,
            source=profile.rate_source,
        )
    raise InvalidInput(
        "The number of requests is unknown. Give --requests-per-day, --users with "
        "--requests-per-user, a --trace with arrival times, or tokens per day."
    )


def _with_per_user(ledger: Ledger, profile: Profile | None) -> Ledger:
    if PER_USER in ledger:
        return ledger
    if profile is None or profile.requests_per_user_per_day is None:
        raise InvalidInput(
            "Users are given, but not how much each asks. Add --requests-per-user "
            "(the preset chat knows 3.67 a day per weekly user)."
        )
    return ledger.fact(
        PER_USER,
        profile.requests_per_user_per_day,
        "request/user/day",
        grade=Grade.CITED,
        source=profile.user_source,
    )


def _with_length(ledger: Ledger, side: str, profile: Profile | None) -> Ledger:
    name, total = LENGTH[side], TOTAL[side]
    if name in ledger:
        return ledger
    if total in ledger and REQUESTS in ledger:
        value = _value(ledger, total) / _value(ledger, REQUESTS)
        formula = f"{total} / {REQUESTS}"
        return ledger.derive(name, value, "token/request", formula=formula)
    if profile is None:
        raise InvalidInput(
            f"The {side} length is unknown. Give {FLAG[side]}, a --preset or a --trace."
        )
    return ledger.fact(
        name,
        _lengths(profile, side).mean_tokens,
        "token/request",
        grade=profile.length_grade,
        source=f"mean of {profile.source}",
    )


def _with_total(ledger: Ledger, side: str) -> Ledger:
    """Tokens per day; where they were given, check that they agree with the rest."""
    name = TOTAL[side]
    value = _value(ledger, REQUESTS) * _value(ledger, LENGTH[side])
    formula, why = f"{REQUESTS} * {LENGTH[side]}", ""
    if name in ledger:
        said = _value(ledger, name)
        if math.isclose(said, value, rel_tol=1e-9):
            return ledger
        if not math.isclose(said, value, rel_tol=_AGREE):
            raise InvalidInput(
                f"{said:.6g} {side} tokens a day contradict "
                f"{_value(ledger, REQUESTS):.6g} requests of "
                f"{_value(ledger, LENGTH[side]):.6g} tokens ({value:.6g}). "
                f"Leave out one of the three."
            )
        why = f"{said:.6g} was given, which agrees"
        ledger = Ledger({n: line for n, line in ledger.lines.items() if n != name})
    return ledger.derive(name, value, "token/day", formula=formula, why=why)


def _with_cached(ledger: Ledger, profile: Profile | None) -> Ledger:
    if CACHED in ledger:
        return ledger
    if CACHED_TOTAL in ledger:
        cached, total = _value(ledger, CACHED_TOTAL), _value(ledger, TOTAL["input"])
        if cached > total:
            raise InvalidInput(
                f"{cached:.6g} cached input tokens a day are more than the "
                f"{total:.6g} input tokens, which include them. Correct one."
            )
        formula = f"{CACHED_TOTAL} / {TOTAL['input']}"
        return ledger.derive(CACHED, cached / total, "1", formula=formula)
    return ledger.fact(
        CACHED,
        profile.cached_input_frac if profile else 0.0,
        "1",
        grade=Grade.ASSUMED,
        source=profile.cached_source if profile else "none is counted unless given",
    )


def _shape(shape: str | Sequence[float] | None, profile: Profile | None) -> DayShape:
    if shape is not None:
        return day_shape(shape)
    if profile is not None:
        return profile.shape
    return replace(day_shape(DEFAULT_SHAPE), grade=Grade.ASSUMED)


def _with_shape(ledger: Ledger, shape: DayShape) -> Ledger:
    where = f"{shape.name}: {shape.source}" if shape.name != "given" else "given"
    for name, value in (
        ("workload.peak_hour_over_mean", shape.peak_over_mean),
        ("workload.burst", shape.burst),
    ):
        ledger = ledger.fact(name, value, "1", grade=shape.grade, source=where)
    return ledger


def _distribution(
    ledger: Ledger, side: str, profile: Profile | None
) -> LengthDistribution:
    mean = _value(ledger, LENGTH[side])
    if profile is None:
        return fixed(mean)
    lengths = _lengths(profile, side)
    if mean == lengths.mean_tokens:
        return lengths
    return scaled(lengths, mean_tokens=mean)


def _notes(ledger: Ledger, profile: Profile | None, shape: DayShape) -> tuple[str, ...]:
    notes = list(profile.notes) if profile else []
    if profile and shape is not profile.shape:
        notes = [n for n in notes if "has no day shape" not in n]
    for side in SIDES if profile else ():
        assert profile is not None
        was, now = _lengths(profile, side).mean_tokens, _value(ledger, LENGTH[side])
        if was != now:
            notes.append(
                f"{side} lengths of {profile.name} scaled from a mean of {was:.0f} "
                f"to {now:.0f} tokens"
            )
    if profile is None:
        if shape.grade is Grade.ASSUMED:
            notes.append(f"the day shape {shape.name} is assumed")
        notes.append("every request has the mean length")
    return tuple(notes)


def _lengths(profile: Profile, side: str) -> LengthDistribution:
    return profile.input_length if side == "input" else profile.output_length


def _value(ledger: Ledger, name: str) -> float:
    value = ledger[name].value
    assert isinstance(value, float)
    return value


def _plain(name: str) -> str:
    """Spell a field or a line as a user knows it."""
    if name in {"isl", "osl"}:
        return f"--{name}"
    words = name.removeprefix("workload.").replace("_frac", "_share").replace("_", " ")
    return words[0].upper() + words[1:]
