"""The time of a step, looked up in the tables of a law."""

import math

from dayrate.serving.simulator.state import (
    ATTENDED_STEP,
    DECODE_FIXED,
    PREFILL_FIXED,
    RANKS,
    READ_STEP,
    Floats,
    Law,
)

__all__ = ["decode_series", "shared_less_s", "step_s"]


def step_s(  # noqa: PLR0917
    law: Law,
    prefill: int,
    pairs: float,
    read: float,
    rows: int,
    decoding: int,
    context: float,
    sampled: int,
) -> float:
    """Time of one step.

    Parameters
    ----------
    law : Law
        Tables.
    prefill : int
        Prompt tokens. [token]
    pairs : float
        Tokens they attend to, summed over them. [token]
    read : float
        Tokens they read back from the cache, summed over prompts. [token]
    rows : int
        Tokens of decoding sequences: one each, or its drafts too. [token]
    decoding : int
        Decoding sequences. [1]
    context : float
        Their contexts, summed. [token]
    sampled : int
        Positions sampled. [1]

    Returns
    -------
    float
        Duration. [s]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT
    >>> float(step_s(FLAT.tables, 0, 0.0, 0.0, 3, 3, 300.0, 3))
    0.01

    References
    ----------
    .. [1] A. Agrawal et al., "Vidur", MLSys 2024, arXiv:2405.05465.
    """
    seconds = law.logits_s[sampled] + _at(law.dense_s, prefill + rows)
    if decoding > 0:
        mean = context / decoding
        knot = _knot(law, mean)
        each = law.knot_s[knot] + law.slope_s[knot] * (mean - law.knot_tokens[knot])
        width = max(float(decoding), law.numbers[RANKS])
        seconds += law.numbers[DECODE_FIXED] + width * each
        if len(law.draft_s) > 0:
            seconds += law.draft_s[decoding]
    if prefill > 0:
        seconds += _prefill_s(law, prefill, pairs, read)
        if len(law.draft_prompt_s) > 0:
            seconds += _at(law.draft_prompt_s, prefill)
    return seconds


def shared_less_s(law: Law, tokens: int, counted: int) -> float:
    """Time by which experts are done sooner, as all ranks share their tokens.

    Parameters
    ----------
    law : Law
        Tables.
    tokens : int
        Tokens of a step. [token]
    counted : int
        As many as there would be if all ranks had what the busiest has. [token]

    Returns
    -------
    float
        Time, 0 or less; 0 where nothing is shared. [s]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT
    >>> shared_less_s(FLAT.tables, 100, 800)
    0.0

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, arXiv:2412.19437, 3.4.
    """
    if len(law.routed_s) == 0:
        return 0.0
    return _at(law.routed_s, tokens) - _at(law.routed_s, counted)


def decode_series(
    law: Law, rows_each: int, decoding: int, context: float, tokens_each: float
) -> tuple[float, float, float]:
    """Time of steps in which the same sequences decode and grow.

    Parameters
    ----------
    law : Law
        Tables.
    rows_each : int
        Tokens that a sequence has in a step: one, or its drafts too. [token]
    decoding : int
        Decoding sequences. [1]
    context : float
        Their contexts, summed. [token]
    tokens_each : float
        Tokens by which each grows in a step. [token]

    Returns
    -------
    tuple of float
        Time of the first step, what each further one takes more [s], and for how many
        steps that is so [1].

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT
    >>> [float(x) for x in decode_series(FLAT.tables, 1, 3, 300.0, 1.0)]
    [0.01, 0.0, inf]

    References
    ----------
    .. [1] A. Agrawal et al., "Vidur", MLSys 2024, arXiv:2405.05465.
    """
    mean, rows = context / decoding, decoding * rows_each
    knot = _knot(law, mean)
    slope_s = law.slope_s[knot]
    each = law.knot_s[knot] + slope_s * (mean - law.knot_tokens[knot])
    width = max(float(decoding), law.numbers[RANKS])
    seconds = law.logits_s[rows] + _at(law.dense_s, rows)
    seconds += law.numbers[DECODE_FIXED] + width * each
    if len(law.draft_s) > 0:
        seconds += law.draft_s[decoding]
    room = (law.knot_tokens[knot + 1] - mean) / tokens_each
    return seconds, width * slope_s * tokens_each, room


def _prefill_s(law: Law, tokens: int, pairs: float, read: float) -> float:
    """Attention of the prompts, interpolated over attended and read-back tokens. [s]

    The knots are fourth powers, so that two roots find the cell.
    """
    numbers, across, up = law.numbers, law.attended_tokens, law.read_frac
    attended, i = pairs / tokens, len(across) - 2
    i = min(int(math.sqrt(math.sqrt(attended)) / numbers[ATTENDED_STEP]), i)
    a = (attended - across[i]) / (across[i + 1] - across[i])
    table, width = law.prefill_s, len(up)
    at = i * width
    if read > 0.0:
        back, j = read / pairs, width - 2
        j = min(int(math.sqrt(math.sqrt(back)) / numbers[READ_STEP]), j)
        b = (back - up[j]) / (up[j + 1] - up[j])
        at += j
        near = table[at] + b * (table[at + 1] - table[at])
        at += width
        far = table[at] + b * (table[at + 1] - table[at])
    else:
        near, far = table[at], table[at + width]
    each = near + a * (far - near)
    return numbers[PREFILL_FIXED] + max(float(tokens), numbers[RANKS]) * each


def _at(table: Floats, tokens: int) -> float:
    """Look up a time by tokens; beyond the table it goes on as it ends. [s]"""
    last = len(table) - 1
    if tokens <= last:
        return table[tokens]
    return table[last] + (table[last] - table[last - 1]) * (tokens - last)


def _knot(law: Law, context: float) -> int:
    """Find the segment of the decode law that holds a mean context."""
    low, high = 0, len(law.knot_tokens) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if context >= law.knot_tokens[middle]:
            low = middle
        else:
            high = middle
    return low
