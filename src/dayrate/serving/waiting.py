"""How long a request waits for its first token."""

import math
from dataclasses import dataclass

import numpy as np

from dayrate.serving.cycle import Cycle
from dayrate.serving.replica import Replica, Traffic
from dayrate.units import Num

__all__ = ["Wait", "first_token_wait"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Parts of the mean time to first token, and what its tail needs.

    Parameters
    ----------
    step_s : Num
        A whole step: the request arrives somewhere within one. [s]
    prefill_s : Num
        Computing the prompt, in as many steps as it has chunks. [s]
    queue_s : Num
        Mean wait for prompts ahead and for a free slot. [s]
    queue_frac : Num
        Probability of waiting at all, approximated by the busier server's load. [1]
    long_over_mean : Num
        Long prompt over mean prompt. [1]
    request_s : Num
        Time outside the model: network, tokenizer, scheduling. [s]
    """

    step_s: Num
    prefill_s: Num
    queue_s: Num
    queue_frac: Num
    long_over_mean: Num
    request_s: Num = 0.0

    @property
    def mean_s(self) -> Num:
        """Mean time to first token. [s]"""
        return self.request_s + self.step_s / 2.0 + self.prefill_s + self.queue_s

    def quantile_s(self, quantile: float) -> Num:
        """Time to first token that a share ``quantile`` of requests stays within. [s]

        The excesses over the mean of the step's rest, of a long prompt and of the
        queue's exponential tail are independent, so their squares add.
        """
        rest = self.step_s * (quantile - 0.5)
        long = self.prefill_s * (self.long_over_mean - 1.0)
        tail = _tail_factor(self.queue_frac, quantile)
        waits = np.where(np.isfinite(self.queue_s), self.queue_s, 0.0)
        queue = waits * np.maximum(tail - 1.0, 0.0)
        return self.mean_s + np.sqrt(rest**2 + long**2 + queue**2)


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
    Prefill is an M/G/1 queue whose load is the share of the token budget that prompts
    use; slots are an M/G/c queue by Sakasegawa's approximation,

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
    .. [2] L. Kleinrock, "Queueing Systems", vol. 1, 1975 (M/G/1).
    """
    pieces = np.maximum(
        traffic.uncached_tokens * replica.schedulers / cycle.room_tokens, 1.0
    )
    prefill = pieces * cycle.chunk_s
    entering = cycle.starts * traffic.uncached_tokens
    load = np.minimum(entering / cycle.room_tokens, 1.0)
    spread = (1.0 + np.asarray(traffic.output_cv) ** 2) / 2.0
    slots = full.starts * traffic.resident_steps
    busy = np.minimum(cycle.requests_per_s / full.requests_per_s, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        behind = np.where(load < 1.0, load / (1.0 - load) * prefill / 2.0, math.inf)
        power = np.sqrt(2.0 * (slots + 1.0)) - 1.0
        stay = traffic.resident_steps * cycle.mean_s
        full_wait = stay / slots * busy**power / (1.0 - busy) * spread
        for_slot = np.where(busy < 1.0, full_wait, math.inf)
    return Wait(
        step_s=cycle.mean_s,
        prefill_s=prefill,
        queue_s=behind + for_slot,
        queue_frac=np.maximum(load, busy**power),
        long_over_mean=traffic.long_over_mean,
        request_s=replica.engine.request_s,
    )


def _tail_factor(queue_frac: Num, quantile: float) -> Num:
    """Quantile over mean of a wait that is 0 or, with this probability, exponential."""
    probability = np.clip(queue_frac, 1e-12, 1.0)
    factor: Num = np.maximum(np.log(probability / (1.0 - quantile)), 0.0) / probability
    return factor
