"""Fit factors on times to measurements: robust ridge regression in logs.

A row's log error changes with the log of a quantity's factor by a *sensitivity* between
0 and 1 in size: the share of its time that the quantity takes. All factors of a
quantity share it, so a pass over the table per quantity gives the whole Jacobian,
however many scopes there are.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.perf.tuning import QUANTITIES, Factors
from dayrate.validation.calibration import Tuned, setting_of
from dayrate.validation.predict import predictions
from dayrate.validation.table import Measurement

__all__ = ["Fit", "Linear", "Priors", "fit", "linearise", "row_weights"]

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]
_NUDGE = 0.05  # of a log factor, for the sensitivities
_LARGEST_STEP = 1.0  # of a log factor in one round
_IDLE_BELOW = 0.04  # of a log factor: the noise of the data is 5 to 10 %
_REWEIGHTINGS = 15
_POWER_METRICS = frozenset({"avg_power_w", "energy_per_output_token_j"})


@dataclass(frozen=True, slots=True)
class Priors:
    """How far a factor may be expected from 1: standard deviations of its log.

    ``by_scope`` holds them by kind of scope; ``only`` the quantities that a kind of
    scope may change (all, if absent). ``noise`` is the scale of errors, beyond which
    they count less; ``balance`` the power of a group's size by which its rows weigh
    less: 1 makes groups count alike, 0 rows. ``tail`` makes far factors likelier the
    smaller it is; times to first token, whose errors are wide, count ``ttft`` times.
    """

    by_scope: Mapping[str, float]
    only: Mapping[str, frozenset[str]]
    wider: Mapping[str, float]
    noise: float = 0.12
    balance: float = 0.7
    ttft: float = 1.5
    tail: float = 4.0
    rounds: int = 4

    def sd(self, quantity: str, scope: str) -> float:
        """Give the standard deviation of a log factor, 0 where there is none. [1]"""
        kind = scope_kind(scope)
        allowed = self.only.get(kind)
        if allowed is not None and quantity not in allowed:
            return 0.0
        return self.by_scope.get(kind, 0.0) * self.wider.get(quantity, 1.0)


def scope_kind(scope: str) -> str:
    """Name the kind of a scope: "engine:vllm on amd" is "engine on"."""
    kind = scope.split(":", maxsplit=1)[0]
    return f"{kind} on" if " on " in scope else kind


@dataclass(frozen=True, slots=True)
class Fit:
    """Factors, with what is known about each."""

    factors: Factors
    log_sd: Mapping[Key, float]
    rows: Mapping[Key, int]
    groups: Mapping[Key, int]
    scopes: frozenset[str]  # those that hold any row

    def without_idle(self) -> "Fit":
        """Leave out factors that change next to nothing."""
        kept = {
            k: f for k, f in self.factors.items() if abs(math.log(f)) >= _IDLE_BELOW
        }
        return dataclasses.replace(self, factors=kept)


@dataclass(frozen=True, slots=True)
class Linear:
    """Log errors at some factors, and their sensitivity to each quantity."""

    rows: tuple[Measurement, ...]
    log_error: Floats
    sensitivity: Floats  # rows x quantities

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Linear":
        """Keep some rows."""
        rows = tuple(r for r, keep in zip(self.rows, chosen, strict=True) if keep)
        return Linear(rows, self.log_error[chosen], self.sensitivity[chosen])


def fit(start: Linear, priors: Priors) -> Fit:
    """Fit all factors that the priors allow.

    ``start`` is `linearise` without factors. It knows of a row's measured value only
    in that row, so fits of parts of a table can share it.
    """
    step = _solve(start, {}, priors)
    for _ in range(2):
        found = linearise(start.rows, step.factors)
        step = _solve(found, step.factors, priors)
    for _ in range(3, priors.rounds):
        step = _solve(_moved(found, step.factors), step.factors, priors)
    kept = step.without_idle()
    if not kept.factors:
        return kept
    return _solve(_moved(found, kept.factors), kept.factors, priors, only=kept.factors)


def _moved(linear: Linear, factors: Factors) -> Linear:
    """Predict anew at other factors; sensitivities vary slowly and are kept."""
    return dataclasses.replace(linear, log_error=_log_errors(linear.rows, factors))


def refit(found: Linear, factors: Factors, priors: Priors) -> Fit:
    """Fit some rows in one round, from where they were linearised: for many parts."""
    return _solve(found, factors, priors)


def linearise(measurements: Sequence[Measurement], factors: Factors) -> Linear:
    """Predict at some factors, and with each quantity a little slower.

    Raises
    ------
    InvalidInput
        A row cannot be predicted.
    """
    here = _log_errors(measurements, factors)
    powers = [i for i, r in enumerate(measurements) if r.metric in _POWER_METRICS]
    sensitivity = np.zeros((len(measurements), len(QUANTITIES)))
    for j, quantity in enumerate(QUANTITIES):
        key = (quantity, "all")
        nudged = {**factors, key: factors.get(key, 1.0) * math.exp(_NUDGE)}
        asked = powers if quantity.endswith("_power") else range(len(measurements))
        moved = _log_errors([measurements[i] for i in asked], nudged)
        sensitivity[asked, j] = (moved - here[asked]) / _NUDGE
    return Linear(tuple(measurements), here, sensitivity)


def _log_errors(measurements: Sequence[Measurement], factors: Factors) -> Floats:
    found, failed = predictions(measurements, Tuned(factors))
    if failed:
        raise InvalidInput(
            f"Row {failed[0][0].keys['row_id']} cannot be predicted "
            f"({failed[0][1]}). Fit only rows that the shipped calibration predicts."
        )
    return found.log_error


def row_weights(rows: Sequence[Measurement], balance: float) -> Floats:
    """Weigh rows so that large groups count less than in proportion."""
    groups = [_group(r) for r in rows]
    sizes: dict[Hashable, int] = defaultdict(int)
    for g in groups:
        sizes[g] += 1
    return np.array([sizes[g] ** -balance for g in groups])


def _group(row: Measurement) -> Hashable:
    late = row.metric == "ttft_ms"
    return tuple(row.keys[c] for c in ("source", "arch", "gpu")), late


def _solve(
    linear: Linear,
    factors: Factors,
    priors: Priors,
    only: Collection[Key] | None = None,
) -> Fit:
    """One round: a robust ridge step from where the model was linearised.

    ``factors`` are those of that point, ``only`` the ones to keep, all if None.
    """
    columns = _columns(linear.rows, priors)
    if only is not None:
        columns = {k: c for k, c in columns.items() if k in only}
    keys = list(columns)
    design = _design(linear, columns)
    start = np.array([math.log(factors.get(k, 1.0)) for k in keys])
    sd = np.array([columns[k].sd for k in keys])
    # the whole log factor is shrunk, not the step, so the target is taken from zero
    target = linear.log_error - design @ start
    weights = row_weights(linear.rows, priors.balance) / priors.noise**2
    weights = weights * np.where(
        [r.metric == "ttft_ms" for r in linear.rows], priors.ttft, 1.0
    )
    logs = start
    for _ in range(_REWEIGHTINGS):
        residual = target + design @ logs
        robust = weights / np.sqrt(1.0 + (residual / priors.noise) ** 2)
        # most scopes are like their parents, a few are far: a prior with wide tails
        penalty = 1.0 / sd**2 / (1.0 + (logs / sd) ** 2 / priors.tail)
        scaled = design.multiply(robust[:, None]).tocsr()
        normal = (scaled.T @ design).toarray() + np.diag(penalty)
        logs = np.linalg.solve(normal, -(scaled.T @ target))
    logs = start + np.clip(logs - start, -_LARGEST_STEP, _LARGEST_STEP)
    spread = np.sqrt(np.diag(np.linalg.inv(normal)))
    return Fit(
        factors={k: math.exp(x) for k, x in zip(keys, logs, strict=True)},
        log_sd=dict(zip(keys, spread.tolist(), strict=True)),
        rows={k: len(columns[k].rows) for k in keys},
        groups={
            k: len({_group(linear.rows[i]) for i in columns[k].rows}) for k in keys
        },
        scopes=frozenset(
            scope
            for c in {r.configuration for r in linear.rows}
            if c is not None
            for scope in setting_of(c).scopes
        ),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """Rows that a factor touches, and how far it may be from 1."""

    rows: tuple[int, ...]
    sd: float


def _design(linear: Linear, columns: Mapping[Key, _Column]) -> Any:
    """Sensitivity of each row to each factor, most of them none."""
    from scipy import sparse  # noqa: PLC0415 - slow

    names = list(QUANTITIES)
    rows = [np.array(c.rows) for c in columns.values()]
    values = [
        linear.sensitivity[r, names.index(quantity)]
        for r, (quantity, _) in zip(rows, columns, strict=True)
    ]
    which = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    shape = (len(linear.rows), len(rows))
    return sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), which)), shape=shape
    )


def _columns(rows: Sequence[Measurement], priors: Priors) -> dict[Key, _Column]:
    """List the factors; scopes that hold the same rows are one, the widest."""
    members: dict[str, list[int]] = defaultdict(list)
    order: dict[str, int] = {}
    for i, row in enumerate(rows):
        if row.configuration is not None:
            for place, scope in enumerate(setting_of(row.configuration).scopes):
                members[scope].append(i)
                order[scope] = place
    found: dict[Key, _Column] = {}
    for quantity in QUANTITIES:
        first: dict[tuple[int, ...], str] = {}
        for scope in sorted(members, key=lambda s: (order[s], s)):
            sd = priors.sd(quantity, scope)
            where = tuple(members[scope])
            if sd > 0:
                key = (quantity, first.setdefault(where, scope))
                before = found[key].sd if key in found else 0.0
                found[key] = _Column(where, math.hypot(sd, before))
    return found
