"""Fit factors on times to measurements: robust ridge regression in logs.

A row's log error changes with the log of a quantity's factor by a *sensitivity* between
0 and 1 in size: the share of its time that the quantity takes. All factors of a
quantity share it, so one value per quantity gives the whole Jacobian, however many
scopes there are. Steps are Levenberg and Marquardt's: kept only if they lower the loss.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.perf.tuning import QUANTITIES, Factors
from dayrate.validation.bench import Bench
from dayrate.validation.table import Measurement

__all__ = ["Fit", "Priors", "fit", "refitting", "row_weights"]

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]
_NUDGE = 0.05  # of a log factor, for the sensitivities
_REWEIGHTINGS = 15
_GAIN = 2e-4  # of the loss: less is the end
_WALL = 1e5  # against factors beyond their bound: some thousandths of a log
_SHORTER = (1.0, 0.5, 0.2)  # parts of a step that are tried
_POWER_METRICS = frozenset({"avg_power_w", "energy_per_output_token_j"})
_POWERS = frozenset({"idle_power", "compute_power", "memory_power"})


@dataclass(frozen=True, slots=True)
class Priors:
    """How far a factor may be expected from 1: standard deviations of its log.

    ``by_scope`` holds them by kind of scope, times ``wider`` by quantity; ``only`` the
    quantities that a kind of scope may change (all, if absent). ``noise`` is the scale
    of errors, beyond which they count less; ``balance`` the power of a group's size by
    which its rows weigh less: 1 makes groups count alike, 0 rows. ``tail`` makes far
    factors likelier the smaller it is, and ``strength`` weighs all priors against the
    rows; times to first token, whose errors are wide, count ``ttft`` times. No factor
    on a quantity falls below ``least``, since kernels cannot exceed the data sheet
    whatever the engine, nor rises above ``most``. Factors nearer to 1 than
    ``idle_below`` are left out.
    """

    by_scope: Mapping[str, float]
    only: Mapping[str, frozenset[str]]
    wider: Mapping[str, float]
    least: Mapping[str, float]
    most: Mapping[str, float] = dataclasses.field(default_factory=dict)
    noise: float = 0.12
    balance: float = 0.7
    ttft: float = 1.2
    tail: float = 4.0
    strength: float = 1.3
    rounds: int = 10
    idle_below: float = 0.07

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
    loss: float = math.nan


def fit(bench: Bench, priors: Priors, rows: Sequence[int] | None = None) -> Fit:
    """Fit all factors that the priors allow to some rows, or to all.

    Factors that change next to nothing are left out, and the others fitted again.
    """
    problem = _Problem.of(bench, priors, rows)
    logs = _minimised(problem, np.zeros(len(problem.keys)), priors.rounds)
    if priors.idle_below > 0:
        # shares of a sum go together, and a watt is measured to 2 or 3 %
        power = np.array([quantity in _POWERS for quantity, _ in problem.keys])
        kept = np.abs(logs) >= np.where(power, priors.idle_below / 3, priors.idle_below)
        if not kept.any() or np.abs(logs).max() < priors.idle_below:
            return Fit({}, {}, {}, {}, problem.scopes)
        problem = problem.only(kept)
        logs = _minimised(problem, logs[kept], 2)
    return _described(problem, logs)


def refitting(bench: Bench, priors: Priors) -> Callable[[Sequence[int]], Factors]:
    """Return what fits to some rows by one step from the fit to all: for many parts."""
    whole = _Problem.of(bench, priors, None)
    logs = _minimised(whole, np.zeros(len(whole.keys)), priors.rounds)
    errors, slopes = whole.linearised(logs)
    place = {key: i for i, key in enumerate(whole.keys)}

    def refit(rows: Sequence[int]) -> Factors:
        part = _Problem.of(bench, priors, rows)
        part = part.only(np.array([key in place for key in part.keys]))
        kept = [place[key] for key in part.keys]
        gone = [i for key, i in place.items() if key not in part.keys]
        here = errors[part.rows] - slopes[part.rows][:, gone] @ logs[gone]
        found = _step(part, here, slopes[part.rows][:, kept], logs[kept])
        return {k: math.exp(x) for k, x in zip(part.keys, found, strict=True)}

    return refit


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is fitted: factors as columns, and rows with their weights."""

    bench: Bench
    priors: Priors
    rows: npt.NDArray[np.int64]  # of the bench
    weights: Floats
    keys: tuple[Key, ...]
    sd: Floats
    members: tuple[Floats, ...]  # of each factor: 1 for the settings that it holds for

    @classmethod
    def of(cls, bench: Bench, priors: Priors, rows: Sequence[int] | None) -> "_Problem":
        """Take the factors that hold for any of the rows."""
        chosen = np.arange(len(bench.rows)) if rows is None else np.array(rows)
        measured = [bench.rows[i] for i in chosen.tolist()]
        late = np.array([r.metric == "ttft_ms" for r in measured])
        weights = row_weights(measured, priors.balance)
        weights = weights * np.where(late, priors.ttft, 1.0)
        seen = set(bench.setting_of_row[chosen].tolist())
        columns = _columns(bench, seen, priors)
        return cls(
            bench,
            priors,
            chosen,
            weights,
            tuple(columns),
            np.array([sd for sd, _ in columns.values()]),
            tuple(member for _, member in columns.values()),
        )

    @property
    def least(self) -> Floats:
        """Logs below which no factor may fall."""
        bounds = [self.priors.least.get(q, 0.0) for q, _ in self.keys]
        return np.array([math.log(b) if b > 0.0 else -math.inf for b in bounds])

    @property
    def most(self) -> Floats:
        """Logs above which no factor may rise."""
        bounds = [self.priors.most.get(q, math.inf) for q, _ in self.keys]
        return np.log(bounds)

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes that hold any of the rows."""
        seen = set(self.bench.setting_of_row[self.rows].tolist())
        return frozenset(s for i in seen for s in self.bench.settings[i].scopes)

    def only(self, kept: npt.NDArray[np.bool_]) -> "_Problem":
        """Leave factors out."""
        where = np.flatnonzero(kept).tolist()
        return dataclasses.replace(
            self,
            keys=tuple(self.keys[i] for i in where),
            sd=self.sd[where],
            members=tuple(self.members[i] for i in where),
        )

    def log_factors(self, logs: Floats) -> Floats:
        """Sum the logs of factors by setting (rows) and quantity."""
        found = np.zeros((len(self.bench.settings), len(QUANTITIES)))
        names = list(QUANTITIES)
        for (quantity, _), x, member in zip(self.keys, logs, self.members, strict=True):
            found[:, names.index(quantity)] += x * member
        return found

    def log_errors(self, logs: Floats) -> Floats:
        """Predict the rows."""
        found: Floats = self.bench.log_errors(self.log_factors(logs)[None])[0]
        return found[self.rows]

    def linearised(self, logs: Floats) -> tuple[Floats, Any]:
        """Errors of the rows, and how they change with each factor."""
        from scipy import sparse  # noqa: PLC0415 - slow

        used = sorted({q for q, _ in self.keys}, key=list(QUANTITIES).index)
        here = self.log_factors(logs)
        sets = np.repeat(here[None], len(used) + 1, axis=0)
        for j, quantity in enumerate(used):
            sets[j + 1, :, list(QUANTITIES).index(quantity)] += _NUDGE
        of_times = np.array([True, *(q not in _POWERS for q in used)])
        errors = self.bench.log_errors(sets[of_times])[:, self.rows]
        slopes = np.zeros((len(used), len(self.rows)))
        slopes[of_times[1:]] = (errors[1:] - errors[0]) / _NUDGE
        if not of_times.all():
            hot = self.bench.log_errors(sets[~of_times], _POWER_METRICS)[:, self.rows]
            hot = np.where(np.isnan(hot), errors[0], hot)
            slopes[~of_times[1:]] = (hot - errors[0]) / _NUDGE
        setting = self.bench.setting_of_row[self.rows]
        columns = [
            slopes[used.index(q)] * member[setting]
            for (q, _), member in zip(self.keys, self.members, strict=True)
        ]
        return errors[0], sparse.csr_matrix(np.array(columns).T)

    def loss(self, errors: Floats, logs: Floats) -> float:
        """Robust misfit and distance of the factors from 1."""
        z = errors / self.priors.noise
        misfit = self.weights @ (np.sqrt(1.0 + z**2) - 1.0)
        tail = self.priors.tail
        far = tail / 2.0 * np.log1p((logs / self.sd) ** 2 / tail)
        beyond = (logs - np.clip(logs, self.least, self.most)) ** 2 / 2.0
        return float(misfit + self.priors.strength * far.sum() + _WALL * beyond.sum())


def _minimised(problem: _Problem, start: Floats, rounds: int) -> Floats:
    """Step from where the model was linearised, as far as the loss falls."""
    logs = start
    for _ in range(rounds):
        errors, slopes = problem.linearised(logs)
        loss = problem.loss(errors, logs)
        step = _step(problem, errors, slopes, logs) - logs
        for part in _SHORTER:
            tried = logs + part * step
            found = problem.loss(problem.log_errors(tried), tried)
            if found < loss:
                break
        else:
            return logs
        logs = tried
        if loss - found < _GAIN * loss:
            break
    return logs


def _step(problem: _Problem, errors: Floats, slopes: Any, start: Floats) -> Floats:
    """Minimise the loss of the linearised model, by reweighting."""
    logs: Floats = start
    target = errors - slopes @ start
    for _ in range(_REWEIGHTINGS):
        normal, right = _normal(problem, target + slopes @ logs, slopes, logs, target)
        logs = np.asarray(np.linalg.solve(normal, right), dtype=float)
    return logs


def _normal(
    problem: _Problem, errors: Floats, slopes: Any, logs: Floats, target: Floats
) -> tuple[Floats, Floats]:
    """Matrix and right side of the reweighted least squares."""
    priors = problem.priors
    robust = problem.weights / np.sqrt(1.0 + (errors / priors.noise) ** 2)
    robust = robust / priors.noise**2
    # most scopes are like their parents, a few are far: a prior with wide tails
    penalty = priors.strength / problem.sd**2
    penalty = penalty / (1.0 + (logs / problem.sd) ** 2 / priors.tail)
    inside = np.clip(logs, problem.least, problem.most)
    beyond = logs != inside
    penalty = penalty + np.where(beyond, _WALL, 0.0)
    pushed = _WALL * np.where(beyond, inside, 0.0)
    scaled = slopes.multiply(robust[:, None]).tocsr()
    normal = (scaled.T @ slopes).toarray() + np.diag(penalty)
    return normal, pushed - scaled.T @ target


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


def _described(problem: _Problem, logs: Floats) -> Fit:
    errors, slopes = problem.linearised(logs)
    target = errors - slopes @ logs
    normal, _ = _normal(problem, errors, slopes, logs, target)
    # without rows a factor is as uncertain as its prior says
    spread = np.sqrt(problem.priors.strength * np.diag(np.linalg.inv(normal)))
    bench, keys = problem.bench, problem.keys
    setting = bench.setting_of_row[problem.rows]
    touched = [problem.rows[member[setting] > 0].tolist() for member in problem.members]
    return Fit(
        factors={k: math.exp(x) for k, x in zip(keys, logs, strict=True)},
        log_sd=dict(zip(keys, spread.tolist(), strict=True)),
        rows={k: len(t) for k, t in zip(keys, touched, strict=True)},
        groups={
            k: len({_group(bench.rows[i]) for i in t})
            for k, t in zip(keys, touched, strict=True)
        },
        scopes=problem.scopes,
        loss=problem.loss(errors, logs),
    )


def _columns(
    bench: Bench, seen: Collection[int], priors: Priors
) -> dict[Key, tuple[float, Floats]]:
    """List the factors; scopes that hold the same settings are one, the widest."""
    members: dict[str, Floats] = defaultdict(lambda: np.zeros(len(bench.settings)))
    order: dict[str, int] = {}
    for i, setting in enumerate(bench.settings):
        for place, scope in enumerate(setting.scopes):
            members[scope][i] = 1.0
            order[scope] = place
    wanted = np.zeros(len(bench.settings))
    wanted[list(seen)] = 1.0
    found: dict[Key, tuple[float, Floats]] = {}
    for quantity in QUANTITIES:
        first: dict[bytes, str] = {}
        for scope in sorted(members, key=lambda s: (order[s], s)):
            sd, here = priors.sd(quantity, scope), members[scope] * wanted
            if sd > 0 and here.any():
                key = (quantity, first.setdefault(here.tobytes(), scope))
                before = found[key][0] if key in found else 0.0
                found[key] = (math.hypot(sd, before), members[key[1]])
    return found
