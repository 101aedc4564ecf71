"""The time of a step as tables, so that the event loop can look it up."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.perf.operators import StepShape
from dayrate.serving.replica import Replica
from dayrate.serving.simulator.lookup import step_s
from dayrate.serving.simulator.state import Law
from dayrate.units import Num

__all__ = ["Drafts", "StepLaw", "step_law"]

Floats = npt.NDArray[np.float64]

_ATTENDED_KNOTS, _READ_KNOTS = 129, 49
_CONTEXT_KNOTS = 2049
_LONGEST_TABLE = 1 << 18  # tokens of one step
_SAME_SLOPE = 1e-7
_ROUTED = "experts_"  # operators of the routed experts, as `perf` names them
_CHECKED = 512  # random steps that the tables are held against


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class StepLaw:
    """Seconds of a step, as a sum of tables that are linear between their knots.

    Parameters
    ----------
    dense_s : ndarray
        What every token passes, by number of tokens. [s]
    logits_s : ndarray
        Sampling, by number of sampled positions. [s]
    context_tokens, context_s : ndarray
        Attention of one decoding sequence over its context. [token], [s]
    attended_tokens, read_frac, prefill_s : ndarray
        Attention of one prompt token over the tokens it attends to, and over tokens
        read back per attended pair. [token], [1], [s]
    decode_fixed_s, prefill_fixed_s : float
        Of a step that decodes, or prefills, at all. [s]
    ranks : float
        A step with fewer sequences than ranks takes as long as with that many. [1]
    data_ranks : float
        Attention-data ranks: a prompt is computed on one of them, and the others wait
        for it, but for the experts, which they share. [1]
    routed_s : ndarray
        Of the experts, by number of tokens; empty without ranks or experts. [s]
    draft_s, draft_prompt_s : ndarray
        A draft model's share, by sequences and by prompt tokens; empty without. [s]
    error_frac : float
        Largest deviation from `perf.step` over random steps. [1]
    """

    dense_s: Floats
    logits_s: Floats
    context_tokens: Floats
    context_s: Floats
    attended_tokens: Floats
    read_frac: Floats
    prefill_s: Floats
    decode_fixed_s: float
    prefill_fixed_s: float
    ranks: float
    draft_s: Floats = field(default_factory=_none)
    draft_prompt_s: Floats = field(default_factory=_none)
    data_ranks: float = 1.0
    routed_s: Floats = field(default_factory=_none)
    error_frac: float = 0.0

    @property
    def tables(self) -> Law:
        """The law as the event loop reads it."""
        return Law(
            dense_s=self.dense_s,
            logits_s=self.logits_s,
            knot_tokens=np.append(self.context_tokens[:-1], np.inf),
            knot_s=self.context_s[:-1],
            slope_s=np.diff(self.context_s) / np.diff(self.context_tokens),
            attended_tokens=self.attended_tokens,
            read_frac=self.read_frac,
            prefill_s=self.prefill_s.ravel(),
            draft_s=self.draft_s,
            draft_prompt_s=self.draft_prompt_s,
            routed_s=self.routed_s,
            numbers=np.array(
                [
                    self.decode_fixed_s,
                    self.prefill_fixed_s,
                    self.attended_tokens[1] ** 0.25,
                    self.read_frac[1] ** 0.25,
                    self.ranks,
                    self.data_ranks,
                ]
            ),
        )


@dataclass(frozen=True, slots=True)
class Drafts:
    """Tokens that are guessed ahead and verified together (speculative decoding).

    Parameters
    ----------
    tokens : int
        Guessed for each sequence and step. [token]
    accepted_frac : float
        Share of the guesses that are confirmed, as vLLM logs it. [1]
    replica : Replica or None
        The model that guesses, on the same accelerators; None where guessing costs
        nothing, as from n-grams of the prompt.
    """

    tokens: int
    accepted_frac: float
    replica: Replica | None = None

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise InvalidInput(
                f"{self.tokens} tokens drafted; give 1 or more, or leave drafts out."
            )
        if not 0.0 <= self.accepted_frac <= 1.0:
            raise InvalidInput(
                f"A share of {self.accepted_frac:g} of the drafts accepted; give one "
                "from 0 to 1."
            )

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens that a sequence gets in a step. [token]"""
        return 1.0 + self.tokens * self.accepted_frac


def step_law(
    replica: Replica, longest_tokens: int, drafts: Drafts | None = None
) -> StepLaw:
    """Tabulate the step time of a replica.

    Parameters
    ----------
    replica : Replica
        What serves; scalar fields.
    longest_tokens : int
        Longest context of any request. [token]
    drafts : Drafts or None
        Tokens guessed ahead.

    Returns
    -------
    StepLaw
        With its largest deviation from the step it tabulates.

    Notes
    -----
    The dense part of a step depends on its number of tokens alone and is tabulated at
    each, mixture of experts included. Attention grows in proportion to sequences at
    the same mean context, so a curve over the context and a table over what prompts
    attend to and read back stand for it.

    A step that verifies drafts passes all of them; its attention reads the cache once
    for all tokens of a sequence, or takes as long as their arithmetic. The draft model
    runs once for each token guessed, and over every prompt.

    Examples
    --------
    >>> from dayrate.serving.examples import LLAMA_ON_H100
    >>> law = step_law(LLAMA_ON_H100, 8192)
    >>> law.error_frac < 0.01
    True

    References
    ----------
    .. [1] A. Agrawal et al., "Vidur", MLSys 2024, arXiv:2405.05465 (step times from
       tables of operators).
    .. [2] Y. Leviathan, M. Kalman, Y. Matias, "Fast Inference from Transformers via
       Speculative Decoding", ICML 2023, arXiv:2211.17192.
    """
    ranks = float(replica.schedulers)
    many = ranks * 256.0
    rows = 1 if drafts is None else drafts.tokens + 1
    dense, decode_fixed = _dense(replica, longest_tokens, many)
    context, context_s = _decode_curve(replica, longest_tokens, many)
    attended, read, prefill, prefill_fixed = _prefill_table(
        replica, longest_tokens, many, decode_fixed
    )
    law = StepLaw(
        dense_s=dense,
        logits_s=_logits(replica, many, rows),
        context_tokens=context,
        context_s=context_s,
        attended_tokens=attended,
        read_frac=read,
        prefill_s=prefill,
        decode_fixed_s=decode_fixed,
        prefill_fixed_s=prefill_fixed,
        ranks=ranks,
        data_ranks=float(replica.parallelism.attention_data),
        routed_s=_routed(replica, len(dense)),
    )
    error = _error_frac(replica, law, longest_tokens)
    law = dataclasses.replace(law, error_frac=error)
    return law if drafts is None else _with_drafts(law, replica, longest_tokens, drafts)


def _with_drafts(
    law: StepLaw, replica: Replica, longest_tokens: int, drafts: Drafts
) -> StepLaw:
    """Verify several tokens of a sequence in a step, and pay for guessing them."""
    arithmetic = np.interp(
        law.context_tokens, law.attended_tokens, law.prefill_s[:, 0]
    ) * (drafts.tokens + 1)
    # the engine handles sequences, not positions
    once_s = drafts.tokens * float(replica.efficiency.host.sequence_s)
    context_s = np.maximum(law.context_s, arithmetic) - once_s
    law = dataclasses.replace(law, context_s=context_s)
    if drafts.replica is None:
        return law
    k, small = drafts.tokens, step_law(drafts.replica, longest_tokens)
    sequences = np.arange(int(replica.max_sequences) + 1)
    fixed = small.decode_fixed_s * (sequences > 0)
    knots = np.union1d(law.context_tokens, small.context_tokens)
    both = np.interp(knots, law.context_tokens, law.context_s) + k * np.interp(
        knots, small.context_tokens, small.context_s
    )
    return dataclasses.replace(
        law,
        context_tokens=knots,
        context_s=both,
        prefill_s=law.prefill_s + small.prefill_s,
        draft_s=k * (small.dense_s[sequences] + small.logits_s[sequences] + fixed),
        draft_prompt_s=small.dense_s,
        prefill_fixed_s=law.prefill_fixed_s + small.prefill_fixed_s,
    )


def _seconds(replica: Replica, **shape: Num) -> Floats:
    return np.asarray(replica.step(StepShape(**shape)).total_s, dtype=float)


def _dense(replica: Replica, longest_tokens: int, many: float) -> tuple[Floats, float]:
    """Time steps of so many tokens with no context; fixed time of decoding apart."""
    most = float(replica.max_step_tokens)
    if not replica.engine.chunked_prefill:
        most = max(most, float(longest_tokens))
    tokens = np.arange(int(min(most, _LONGEST_TABLE)) + 1, dtype=float)
    both = _seconds(replica, prefill_tokens=many, decode_sequences=many)
    prefill = _seconds(replica, prefill_tokens=many)
    decode = _seconds(replica, decode_sequences=np.array([many, 2.0 * many]))
    fixed = float(both - decode[1] - prefill + decode[0])
    dense = _seconds(replica, decode_sequences=tokens) - fixed
    dense[0] = 0.0
    return dense, fixed


def _routed(replica: Replica, knots: int) -> Floats:
    """Time of the experts, which all attention-data ranks share, by tokens."""
    if float(replica.parallelism.attention_data) <= 1.0:
        return _none()
    tokens = np.arange(knots, dtype=float)
    step = replica.step(StepShape(decode_sequences=tokens))
    parts = [s for name, s in step.by_operator_s.items() if name.startswith(_ROUTED)]
    if not parts:
        return _none()
    total = np.sum([np.broadcast_to(s, tokens.shape) for s in parts], axis=0)
    total[0] = 0.0
    return np.asarray(total, dtype=float)


def _logits(replica: Replica, many: float, rows: int) -> Floats:
    most = int(replica.max_sequences) * (rows + (rows > 1))
    positions = np.arange(most + 1, dtype=float)
    sampled = _seconds(replica, decode_sequences=many, logit_sequences=positions)
    return sampled - sampled[0]


def _decode_curve(
    replica: Replica, longest_tokens: int, many: float
) -> tuple[Floats, Floats]:
    """Time of one sequence over its context, as few straight pieces as it has."""
    context = np.unique(np.round(_fourth_powers(float(longest_tokens), _CONTEXT_KNOTS)))
    seconds = _seconds(replica, decode_sequences=many, decode_context_tokens=context)
    each = (seconds - seconds[0]) / many
    slope = np.diff(each) / np.diff(context)
    bend = np.abs(np.diff(slope)) > _SAME_SLOPE * np.abs(slope).max()
    kept = np.concatenate([[True], bend, [True]])
    return context[kept], each[kept]


def _prefill_table(
    replica: Replica, longest_tokens: int, many: float, decode_fixed: float
) -> tuple[Floats, Floats, Floats, float]:
    attended = _fourth_powers(float(longest_tokens), _ATTENDED_KNOTS)
    read = _fourth_powers(1.0, _READ_KNOTS)
    a, r = attended[:, None], read[None, :]

    def beyond_dense(tokens: float) -> Floats:
        whole = _seconds(
            replica,
            prefill_tokens=tokens,
            prefill_context_tokens=a,
            prefill_read_tokens=r * a * tokens,
        )
        return whole - (_seconds(replica, decode_sequences=tokens) - decode_fixed)

    once, twice = beyond_dense(many), beyond_dense(2.0 * many)
    each = (twice - once) / many
    return attended, read, each, float((once - many * each)[0, 0])


def _fourth_powers(most: float, knots: int) -> Floats:
    """Knots from 0, dense where curves bend: at small values."""
    return most * np.linspace(0.0, 1.0, knots) ** 4


def _error_frac(replica: Replica, law: StepLaw, longest_tokens: int) -> float:
    """Compare random steps: one chunk of a prompt beside random sequences."""
    rng = np.random.default_rng(0)

    def any_of(low: float, high: float) -> Floats:
        spread = np.exp(rng.uniform(np.log(low), np.log(max(high, low)), _CHECKED))
        return np.floor(spread)

    most = min(float(replica.max_step_tokens), float(longest_tokens))
    tokens = any_of(1, most) * rng.integers(0, 2, _CHECKED)
    before = any_of(1, longest_tokens) * rng.integers(0, 2, _CHECKED)
    before = np.minimum(before, longest_tokens - tokens)
    slots = float(replica.max_sequences)
    beside = np.minimum(any_of(1, slots - 1.0), slots - (tokens > 0))
    context = any_of(1, longest_tokens)
    attended = before + 0.5 * tokens
    sampled = beside + (tokens > 0)
    exact = _seconds(
        replica,
        prefill_tokens=tokens,
        prefill_context_tokens=attended,
        prefill_read_tokens=before * (tokens > 0),
        decode_sequences=beside,
        decode_context_tokens=context,
        logit_sequences=sampled,
    )
    steps = zip(
        tokens.astype(int).tolist(),
        (tokens * attended).tolist(),
        before.tolist(),
        beside.astype(int).tolist(),
        beside.astype(int).tolist(),
        (beside * context).tolist(),
        sampled.astype(int).tolist(),
        strict=True,
    )
    tables = law.tables
    found = np.array([step_s(tables, *step) for step in steps])
    return float(np.max(np.abs(found / exact - 1.0)))
