"""The time of a step, looked up in the tables of a law."""

import math

from dayrate.serving.simulator.state import (
    ATTENDED_STEP,
    DECODE_FIXED,
    PREFILL_FIXED,
    RANKS,
    READ_STEP,
    Law,
)

__all__ = ["decode_series", "step_s"]


def step_s(  # noqa: PLR0917
    law: Law,
    prefill: int,
    pairs: float,
    read: float,
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
    decoding : int
        Sequences that get one token each. [1]
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
    >>> float(step_s(FLAT.tables, 0, 0.0, 0.0, 3, 300.0, 3))
    0.01

    References
    ----------
    .. [1] A. Agrawal et al., "Vidur", MLSys 2024, arXiv:2405.05465.
    """
    seconds = law.logits_s[sampled] + _dense_s(law, prefill + decoding)
    if decoding > 0:
        mean = context / decoding
        knot = _knot(law, mean)
        each = law.knot_s[knot] + law.slope_s[knot] * (mean - law.knot_tokens[knot])
        width = max(float(decoding), law.numbers[RANKS])
        seconds += law.numbers[DECODE_FIXED] + width * each
    if prefill > 0:
        seconds += _prefill_s(law, prefill, pairs, read)
    return seconds


def decode_series(
    law: Law, decoding: int, context: float
) -> tuple[float, float, float]:
    """Time of steps in which the same sequences decode and grow.

    Parameters
    ----------
    law : Law
        Tables.
    decoding : int
        Sequences that get one token each. [1]
    context : float
        Their contexts, summed. [token]

    Returns
    -------
    tuple of float
        Time of the first step, what each further one takes more [s], and for how many
        steps that is so [1].

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT
    >>> [float(x) for x in decode_series(FLAT.tables, 3, 300.0)]
    [0.01, 0.0, inf]

    References
    ----------
    .. [1] A. Agrawal et al., "Vidur", MLSys 2024, arXiv:2405.05465.
    """
    mean = context / decoding
    knot = _knot(law, mean)
    width = max(float(decoding), law.numbers[RANKS])
    seconds = step_s(law, 0, 0.0, 0.0, decoding, context, decoding)
    return seconds, width * law.slope_s[knot], law.knot_tokens[knot + 1] - mean


def _prefill_s(law: Law, tokens: int, pairs: float, read: float) -> float:
    """Attention of the prompts, interpolated over attended and read-back tokens. [s]

    The knots are fourth powers, so that two roots find the cell.
    """
    numbers = law.numbers
    attended, back = pairs / tokens, read / pairs
    across = int(math.sqrt(math.sqrt(attended)) / numbers[ATTENDED_STEP])
    up = int(math.sqrt(math.sqrt(back)) / numbers[READ_STEP])
    i = min(across, len(law.attended_tokens) - 2)
    j = min(up, len(law.read_frac) - 2)
    each = _between(law, i, j, attended, back)
    return numbers[PREFILL_FIXED] + max(float(tokens), numbers[RANKS]) * each


def _dense_s(law: Law, tokens: int) -> float:
    """Time of what all tokens pass; beyond the table it goes on as it ends. [s]"""
    last = len(law.dense_s) - 1
    if tokens <= last:
        return law.dense_s[tokens]
    more = law.dense_s[last] - law.dense_s[last - 1]
    return law.dense_s[last] + more * (tokens - last)


def _knot(law: Law, context: float) -> int:
    """Find the segment of the decode law that holds a mean context."""
    knot = 0
    while context >= law.knot_tokens[knot + 1]:
        knot += 1
    return knot


def _between(law: Law, i: int, j: int, attended: float, read: float) -> float:
    """Interpolate bilinearly in a cell of the table of prefill attention."""
    across, up, table = law.attended_tokens, law.read_frac, law.prefill_s
    a = (attended - across[i]) / (across[i + 1] - across[i])
    b = (read - up[j]) / (up[j + 1] - up[j])
    at = i * len(up) + j
    beside = at + len(up)
    near = table[at] + b * (table[at + 1] - table[at])
    far = table[beside] + b * (table[beside + 1] - table[beside])
    return near + a * (far - near)
