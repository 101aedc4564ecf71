"""How long a request waits for its first token."""

import math
import statistics
from dataclasses import dataclass

import numpy as np

from dayrate.serving.cycle import Cycle
from dayrate.serving.replica import Replica, Traffic
from dayrate.units import Num

__all__ = ["Wait", "first_token_wait"]

_ROUNDS = 12  # of the step that is the mean of those which it makes long
_HEAVIEST = 0.999  # load at which waits are taken where they would be infinite


@dataclass(frozen=True, slots=True)
class Wait:
    """Parts of the mean time to first token, and what its tail needs.

    Parameters
    ----------
    rest_s : Num
        Rest of the step under way when a request arrives. [s]
    prefill_s : Num
        Computing the prompt, in as many steps as it has chunks. [s]
    beside_s : Num
        What other prompts add: in the same step, or ahead of it. [s]
    slot_s : Num
        Mean wait for a free slot. [s]
    slot_frac : Num
        Probability of waiting for a slot. [1]
    spread_s : Num
        Standard deviation of the time to first token, without a wait for a slot. [s]
    least_s : Num
        What the shortest prompt takes in an idle replica. [s]
    request_s : Num
        Time outside the model: network, tokenizer, scheduling. [s]
    """

    rest_s: Num
    prefill_s: Num
    beside_s: Num
    slot_s: Num
    slot_frac: Num
    spread_s: Num
    least_s: Num
    request_s: Num = 0.0

    @property
    def mean_s(self) -> Num:
        """Mean time to first token. [s]"""
        return self.request_s + self._served_s + self.slot_s

    @property
    def _served_s(self) -> Num:
        return self.rest_s + self.prefill_s + self.beside_s

    def quantile_s(self, quantile: float) -> Num:
        """Time to first token that a share ``quantile`` of requests stays within. [s]

        What is beyond the least follows a gamma distribution of this mean and spread,
        by Wilson and Hilferty's cube; a wait for a slot has an exponential tail. Both
        excesses over the mean are independent, so their squares add. Where waits are
        rare the mean may be beyond the quantile; then it is taken.
        """
        z = statistics.NormalDist().inv_cdf(quantile)
        beyond = np.maximum(self._served_s - self.least_s, 1e-12)
        flat = (self.spread_s / beyond) ** 2 / 9.0
        cube = np.maximum(1.0 - flat + z * np.sqrt(flat), 0.0) ** 3
        served = np.maximum(beyond * (cube - 1.0), 0.0)
        tail = _tail_factor(self.slot_frac, quantile)
        waits = np.where(np.isfinite(self.slot_s), self.slot_s, 0.0)
        slot = waits * np.maximum(tail - 1.0, 0.0)
        late: Num = self.mean_s + np.sqrt(served**2 + slot**2)
        return late


def first_token_wait(
    replica: Replica, traffic: Traffic, cycle: Cycle, full: Cycle
) -> Wait:
    r"""Wait from arrival to the first token at a given steady state.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    cycle : Cycle
        The steady state.
    full : Cycle
        The steady state with every slot taken, which bounds the rate.

    Returns
    -------
    Wait
        Mean parts and tail.

    Notes
    -----
    Prompts that arrive during a step share the next one. A step with :math:`m \ge 1`
    prompts takes :math:`e + cm` and one without :math:`a`; with Poisson arrivals the
    mean :math:`M_1` and mean square :math:`M_2` of a step follow from those of the
    step before. An arrival is more likely in a long step than in a short one, so that
    its step lasts :math:`M_2/M_1` on average, half of which is left, and
    :math:`\lambda M_2/M_1` other prompts come with it:

    .. math:: W = \frac{M_2}{2 M_1} + e + c\left(1 + \lambda\frac{M_2}{M_1}\right)

    Where so many prompts do not fit in a step they queue instead, one after the other
    (M/G/1 with vacations, which are decode steps; with Allen and Cunneen's factor where
    arrivals are more regular than Poisson's); between the two the answer is
    interpolated. Slots are an M/G/c queue by Sakasegawa's approximation,

    .. math:: W = \frac{S}{c}\,\frac{\rho^{\sqrt{2(c+1)}-1}}{1-\rho}\,\frac{1+c_s^2}{2}

    Arrivals are Poisson within the hour; bursts are the fleet's `burst` factor.

    Examples
    --------
    >>> from dayrate.serving.cycle import mean_cycle
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> half, full = (mean_cycle(LLAMA_ON_H100, CHAT, r) for r in (0.3, 1.0))
    >>> wait = first_token_wait(LLAMA_ON_H100, CHAT, half, full)
    >>> bool(wait.mean_s < wait.quantile_s(0.95))
    True

    References
    ----------
    .. [1] H. Sakasegawa, "An approximation formula L_q ~ a rho^b/(1-rho)", Annals of
       the Institute of Statistical Mathematics 29, 1977.
    .. [2] L. Kleinrock, "Queueing Systems", vol. 1, 1975 (M/G/1, residual life).
    .. [3] A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd ed., 1990.
    .. [4] H. Takagi, "Queueing Analysis", vol. 1, 1991 (gated and vacation queues).
    .. [5] E. B. Wilson, M. M. Hilferty, "The Distribution of Chi-Square", PNAS 17,
       1931.
    """
    alone = _alone(replica, traffic, cycle)
    shared, queued = _sharing_a_step(alone), _one_by_one(alone)
    # prompts that fit in a step over those that want to be in it
    fit = alone.fit_prompts / (1.0 + alone.beside_prompts)
    together = np.clip(fit - 1.0, 0.0, 1.0)

    def between(a: Num, b: Num) -> Num:
        return np.where(together > 0, together * a, 0.0) + np.where(
            together < 1, (1.0 - together) * b, 0.0
        )

    slots = full.starts * traffic.resident_steps
    busy = np.minimum(cycle.requests_per_s / full.requests_per_s, 1.0)
    spread = (1.0 + np.asarray(traffic.output_cv) ** 2) / 2.0
    power = np.sqrt(2.0 * (slots + 1.0)) - 1.0
    stay = traffic.resident_steps * cycle.mean_s
    with np.errstate(divide="ignore", invalid="ignore"):
        full_wait = stay / slots * busy**power / (1.0 - busy) * spread
    rest, beside, spread_s = (
        between(a, b) for a, b in zip(shared, queued, strict=True)
    )
    return Wait(
        rest_s=rest,
        prefill_s=alone.prefill_s,
        beside_s=beside,
        slot_s=np.where(busy < 1.0, full_wait, math.inf),
        slot_frac=busy**power,
        spread_s=spread_s,
        least_s=np.maximum(
            alone.prefill_s - alone.each_s * np.minimum(alone.input_cv, 1.0), 0.0
        ),
        request_s=replica.engine.request_s,
    )


@dataclass(frozen=True, slots=True)
class _Alone:
    """A prompt on its own, and the step that it arrives in.

    ``step_s`` and ``step_s2`` are the mean length, and mean square, of the step in
    which a request arrives.
    """

    rate: Num  # of requests, to one of the replica's schedulers [1/s]
    plain_s: Num
    each_s: Num  # that a prompt adds to a step which has one
    prefill_s: Num
    step_s: Num
    step_s2: Num
    input_cv: Num
    arrival_scv: Num
    idle_frac: Num
    fit_prompts: Num
    busy_frac: Num  # of a queue of prompts, each taken on its own
    stages: Num  # of the pipeline, whose micro-batches take turns at one queue

    @property
    def beside_prompts(self) -> Num:
        """Others that arrive in the same step; fewer where arrivals keep apart. [1]"""
        others = self.rate * self.step_s
        regular = np.maximum(others - 1.0, 0.0)
        return self.arrival_scv * others + (1.0 - self.arrival_scv) * regular


def _alone(replica: Replica, traffic: Traffic, cycle: Cycle) -> _Alone:
    # a prompt is in one micro-batch, and takes as long as one in each of them
    ranks, plain = replica.schedulers, cycle.plain_s
    rate = cycle.requests_per_s / ranks
    prompts = traffic.uncached_tokens * ranks
    token_s = (cycle.pair_s - cycle.chunk_s) / cycle.chunk_tokens
    each = token_s * prompts
    piece = np.minimum(prompts, cycle.room_tokens)
    whole = cycle.chunk_s + token_s * (piece - cycle.chunk_tokens)
    pieces = np.maximum(prompts / cycle.room_tokens, 1.0)
    first = whole - each  # of a step with prompts, beside what each of them adds
    cv = np.asarray(traffic.input_spread, dtype=float)
    scv = np.asarray(traffic.arrival_scv, dtype=float)
    load = np.minimum(rate * each, _HEAVIEST)
    mean = cycle.mean_s
    mean2 = square = mean**2
    # what stays the same from round to round
    shorter, first2, shorter2 = plain - first, first**2, plain**2 - first**2
    crowd = load * (2.0 * first + each * (scv + cv**2))
    spare, turns, curve = 1.0 - load, ranks - load**2, rate**2 / 2.0
    for _ in range(_ROUNDS):
        varies = np.maximum(square - mean2, 0.0)
        none = np.exp(-rate * mean) * (1.0 + curve * varies)
        none = np.minimum(none, 1.0)
        mean = (first + shorter * none) / spare
        mean2 = mean**2
        of_one = first2 + crowd * mean + shorter2 * none
        square = (of_one + (ranks - 1.0) * mean2) / turns
    # a third moment as if steps followed a gamma distribution
    flat = np.maximum(square / mean**2 - 1.0, 0.0)
    return _Alone(
        rate=rate,
        plain_s=plain,
        each_s=each,
        prefill_s=pieces * whole,
        step_s=square / mean,
        step_s2=mean**2 * (1.0 + flat) * (1.0 + 2.0 * flat),
        input_cv=cv,
        arrival_scv=scv,
        idle_frac=np.exp(-cycle.batch - rate * ranks * whole),
        fit_prompts=cycle.room_tokens / prompts,
        busy_frac=np.minimum(rate * pieces * whole, _HEAVIEST),
        stages=replica.parallelism.pipeline,
    )


def _sharing_a_step(x: _Alone) -> tuple[Num, Num, Num]:
    """Rest of a step, others in the next, and the spread, where all fit in a step."""
    load, met = x.rate * x.each_s, 1.0 - x.idle_frac
    rest = met * x.step_s / 2.0 / x.stages
    beside = x.each_s * x.beside_prompts
    number = x.rate * x.step_s * (x.arrival_scv + x.input_cv**2)
    lengths = x.each_s**2 * (x.input_cv**2 + number)
    steps = np.maximum(x.step_s2 - x.step_s**2, 0.0) * (load + load**2)
    varies = met * x.step_s2 / 3.0 / x.stages**2 - rest**2 + lengths + steps
    return rest, beside, np.sqrt(np.maximum(varies, 0.0))


def _one_by_one(x: _Alone) -> tuple[Num, Num, Num]:
    """Rest of a decode step, prompts ahead, and the spread, where they queue."""
    own, load, cv2 = x.prefill_s, x.busy_frac, x.input_cv**2
    rest = (1.0 - x.idle_frac) * x.plain_s / 2.0 / x.stages
    varies2 = x.arrival_scv + cv2
    waits = load ** (np.sqrt(2.0 * (x.stages + 1.0)) - 1.0) / (1.0 - load) / x.stages
    ahead = waits * own * varies2 / 2.0
    cubed = waits * own**2 * varies2 * (1.0 + 2.0 * cv2) / 3.0 / x.stages
    varies = x.plain_s**2 / 12.0 + ahead**2 + cubed + own**2 * cv2
    return rest, ahead, np.sqrt(varies)


def _tail_factor(queue_frac: Num, quantile: float) -> Num:
    """Quantile over mean of a wait that is 0 or, with this probability, exponential."""
    probability = np.clip(queue_frac, 1e-12, 1.0)
    factor: Num = np.maximum(np.log(probability / (1.0 - quantile)), 0.0) / probability
    return factor
