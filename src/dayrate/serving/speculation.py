"""Speculative decoding: a small model drafts tokens, the large one checks them."""

import dataclasses
from dataclasses import dataclass

from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import Efficiency
from dayrate.perf.operators import StepShape
from dayrate.perf.step import StepTime, step_time
from dayrate.units import Num

__all__ = ["Speculation", "speculative_step_time", "top_layer"]


@dataclass(frozen=True, slots=True)
class Speculation:
    """How many tokens are drafted for each sequence in a step, and how many are kept.

    Parameters
    ----------
    draft_tokens : int
        Drafted for each sequence and step. [token]
    acceptance_frac : Num
        Share of drafted tokens that the large model confirms, as vLLM logs it. [1]
    draft : ModelSpec or None
        What drafts, run once for each drafted token; None: a look-up of n-grams,
        which takes no time here.

    Raises
    ------
    InvalidInput
        Nothing is drafted, or the share is outside 0 to 1.
    """

    draft_tokens: int
    acceptance_frac: Num
    draft: ModelSpec | None = None

    def __post_init__(self) -> None:
        if self.draft_tokens < 1:
            raise InvalidInput(
                f"--num-speculative-tokens is {self.draft_tokens}; draft 1 or more."
            )

    @property
    def tokens_per_step(self) -> Num:
        """Mean tokens that a sequence gets in a step: the model's own and those kept.

        >>> Speculation(3, 0.5).tokens_per_step
        2.5
        """
        return 1.0 + self.draft_tokens * self.acceptance_frac


def top_layer(model: ModelSpec) -> ModelSpec:
    """Return one layer of a model with its head: what EAGLE and MTP draft with.

    Parameters
    ----------
    model : ModelSpec
        The large model; its last kind of layer is taken.

    Returns
    -------
    ModelSpec
        Of one layer.

    Examples
    --------
    >>> from dayrate.perf.examples import LLAMA_3_1_70B
    >>> top_layer(LLAMA_3_1_70B).n_layers
    1

    References
    ----------
    .. [1] Y. Li et al., "EAGLE", ICML 2024, arXiv:2401.15077 (one decoder layer).
    .. [2] DeepSeek-AI, "DeepSeek-V3", 2024, arXiv:2412.19437, section 2.2 (one block).
    """
    decoding = [b for b in model.blocks if not b.encoder]
    return dataclasses.replace(
        model, blocks=(dataclasses.replace(decoding[-1], count=1),)
    )


def speculative_step_time(
    model: ModelSpec,
    machine: Machine,
    parallelism: Parallelism,
    precision: Precision,
    shape: StepShape,
    *,
    efficiency: Efficiency,
    speculation: Speculation,
) -> StepTime:
    """Time of a step that drafts for every sequence and verifies the drafts.

    Parameters
    ----------
    model : ModelSpec
        The large model.
    machine, parallelism, precision
        Of both models.
    shape : StepShape
        The step as it would be without drafts.
    efficiency : Efficiency
        Of both models; the engine's own time passes once.
    speculation : Speculation
        What is drafted.

    Returns
    -------
    StepTime
        Of both; ``by_operator_s`` holds the drafting in one entry.

    Notes
    -----
    Verification computes ``draft_tokens + 1`` tokens of a sequence over one reading of
    its cache. The draft model computes the prompt too, once, and runs as often as
    tokens are drafted, each time over one token of every sequence.

    Examples
    --------
    >>> from dayrate.serving.examples import LLAMA_ON_H100 as r
    >>> shape = StepShape(decode_sequences=8, decode_context_tokens=1000,
    ...                   logit_sequences=8)
    >>> plain = r.step(shape).total_s
    >>> both = speculative_step_time(
    ...     r.model, r.machine, r.parallelism, r.precision, shape,
    ...     efficiency=r.efficiency, speculation=Speculation(3, 0.6)).total_s
    >>> bool(plain < both < 1.5 * plain)
    True

    References
    ----------
    .. [1] Y. Leviathan, M. Kalman, Y. Matias, "Fast Inference from Transformers via
       Speculative Decoding", ICML 2023, arXiv:2211.17192.
    """
    drafted = speculation.draft_tokens
    verifying = dataclasses.replace(
        shape,
        decode_tokens_each=1.0 + drafted,
        logit_sequences=shape.logit_sequences + drafted * shape.decode_sequences,
    )
    verify = step_time(
        model, machine, parallelism, precision, verifying, efficiency=efficiency
    )
    if speculation.draft is None:
        return verify
    quiet = dataclasses.replace(efficiency.host, step_s=0.0, sequence_s=0.0)
    inside = dataclasses.replace(efficiency, host=quiet)
    later = dataclasses.replace(
        shape,
        prefill_tokens=0.0 * shape.prefill_tokens,
        prefill_read_tokens=0.0 * shape.prefill_read_tokens,
        logit_sequences=shape.decode_sequences,
    )
    first, each = (
        step_time(
            speculation.draft, machine, parallelism, precision, s, efficiency=inside
        )
        for s in (shape, later)
    )
    return _together(verify, first, each, drafted - 1)


def _together(
    verify: StepTime, first: StepTime, each: StepTime, times: int
) -> StepTime:
    return StepTime(
        compute_s=verify.compute_s + first.compute_s + times * each.compute_s,
        memory_s=verify.memory_s + first.memory_s + times * each.memory_s,
        collective_s=verify.collective_s
        + first.collective_s
        + times * each.collective_s,
        overhead_s=verify.overhead_s + first.overhead_s + times * each.overhead_s,
        by_operator_s={
            **verify.by_operator_s,
            "draft": first.total_s + times * each.total_s,
        },
    )
