"""Sessions: each turn's prompt is all that was said before and a new message.

The text of a session only grows, so block k of its prompts is the same in every turn
that reaches it: block ids of a prompt nest in those of the next, and a prefix cache
finds them.
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import ArrivalProcess, draw_arrivals
from dayrate.workload.demand import LengthDistribution
from dayrate.workload.traces import Blocks, Trace, prefix_ids

__all__ = [
    "ENGINE_BLOCK_TOKENS",
    "Dialogue",
    "History",
    "draw_sessions",
    "one_size",
    "with_history",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Tokens of a block as engines hash them; wider where there would be too many.
ENGINE_BLOCK_TOKENS = 16
_MOST_BLOCKS = 4_000_000
#: Sessions that began as long before the first request as this many mean sessions
#: last may still be under way.
_BEFORE = 8.0
_MOST_TURNS = 1000.0


class History(enum.Enum):
    """What the prompts of a trace with session ids hold."""

    INCLUDED = "included"  # all turns before, as engines log prompts
    ADDED = "added"  # only the new message: the turns before are to be put in front


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Sessions to draw.

    Parameters
    ----------
    turns : float
        Mean number of turns; it is geometric, so that no turn knows it is the last. [1]
    think_s : float
        Mean time from a turn to the next, the answer's own included; where turns wait
        for the answer, from its end. [s]
    closed : bool
        Whether a turn waits for the answer before it.
    """

    turns: float
    think_s: float = 60.0
    closed: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= _MOST_TURNS:
            raise InvalidInput(
                f"A session has {self.turns:g} turns on average; give 1 to "
                f"{_MOST_TURNS:g}."
            )
        if not 0 < self.think_s < math.inf:
            raise InvalidInput(
                f"The mean time from a turn to the next is {self.think_s:g} s; give "
                "seconds above 0."
            )


def draw_sessions(
    dialogue: Dialogue,
    process: ArrivalProcess,
    n: int,
    requests_per_s: float,
    *,
    lengths: tuple[LengthDistribution, LengthDistribution],
    rng: np.random.Generator,
) -> Trace:
    """Draw ``n`` requests of sessions, as a log cut out of a long run holds them.

    ``process`` places the starts of sessions; requests come at the mean rate. Prompts,
    with all their history, have the mean of the first of ``lengths``, answers that of
    the second; what a person adds in a turn is what is left of the mean prompt.
    """
    if math.isinf(requests_per_s):
        raise InvalidInput(
            "Turns of a session follow each other, so they have no infinite rate. "
            "Give a finite --request-rate."
        )
    session, arrival = _turns(dialogue, process, n, requests_per_s, rng)
    outputs = _drawn(lengths[1], len(session), rng)
    messages = lengths[0].tokens[
        rng.integers(len(lengths[0].tokens), size=len(session))
    ]
    order = np.argsort(arrival, kind="stable")
    order = order[arrival[order] >= 0][:n]
    before = _running(outputs, session) - outputs
    said = _running(messages, session)
    room = n * lengths[0].mean_tokens - before[order].sum()
    share = room / said[order].sum()
    if share * messages.mean() < 1:
        least = before[order].mean() + 1
        raise InvalidInput(
            f"After {dialogue.turns:g} turns on average, the answers before take "
            f"{least:,.0f} tokens of a prompt, and it has "
            f"{lengths[0].mean_tokens:,.0f}. "
            "Give a longer --isl, a shorter --osl or fewer turns."
        )
    added = np.maximum(np.round(messages * share), 1.0)
    prompt = _running(added, session) + before
    when = arrival[order]
    inputs = prompt[order]
    return Trace(
        format="sessions",
        arrival_s=when * (n / requests_per_s / when[-1]),
        input_tokens=inputs,
        output_tokens=outputs[order],
        sessions=session[order].astype(np.str_),
        blocks=_stream_blocks(session[order], inputs, outputs[order]),
        name=f"sessions of {dialogue.turns:g} turns",
    )


def with_history(trace: Trace, history: History) -> Trace:
    """Find what the turns of a session share, or put the turns before in front.

    A prompt shares all of the turn before, prompt and answer, where it is long enough
    to hold them; otherwise it begins a new conversation.
    """
    if trace.sessions is None:
        raise InvalidInput(
            f"{trace.name} has no session ids, so turns cannot be told from each "
            "other. Leave --history out, or draw sessions with --session-turns."
        )
    if trace.blocks is not None:
        raise InvalidInput(
            f"{trace.name} has hash_ids, which say what prompts share. Leave "
            "--history out."
        )
    _, session = np.unique(trace.sessions, return_inverse=True)
    order = np.argsort(session, kind="stable")  # by session, then by arrival
    named = trace.sessions[order] != ""
    inputs, outputs = trace.input_tokens[order], trace.output_tokens[order]
    follows = np.concatenate([[False], np.diff(session[order]) == 0]) & named
    if history is History.ADDED:
        stream = np.cumsum(~follows) - 1
        inputs = _running(inputs, stream) + _running(outputs, stream) - outputs
    else:
        held = np.concatenate([[0.0], (inputs + outputs)[:-1]])
        stream = np.cumsum(~(follows & (inputs >= held))) - 1
    back = np.argsort(order)
    inputs, stream = inputs[back], stream[back]
    blocks = _stream_blocks(stream, inputs, trace.output_tokens)
    return replace(trace, input_tokens=inputs, blocks=blocks)


def one_size(blocks: Blocks, input_tokens: Floats) -> Blocks:
    """Cut components of any size into blocks of one, as an engine hashes prompts.

    A block is known by its place and by the components from the start of the prompt to
    the one in which it ends. Only full blocks count, and what no component covers is
    shared with nobody.
    """
    if blocks.tokens is None:
        return _within(blocks, input_tokens)
    first = blocks.offsets[:-1]
    running = np.cumsum(blocks.tokens)
    ends = running - np.repeat(
        np.concatenate([[0], running])[first], np.diff(blocks.offsets)
    )
    covered = np.zeros(len(first))
    some = np.diff(blocks.offsets) > 0
    covered[some] = ends[blocks.offsets[1:][some] - 1]
    size = _block_size(np.minimum(covered, input_tokens))
    counts = (np.minimum(covered, input_tokens) // size).astype(np.int64)
    offsets, place = _ragged(counts)
    # the component in which each block ends, by one search over all prompts
    apart = float(ends.max(initial=0)) + size
    prompt = np.repeat(np.arange(len(first)), np.diff(blocks.offsets))
    of_block = np.repeat(np.arange(len(first)), counts)
    component = np.searchsorted(
        prompt * apart + ends, of_block * apart + (place + 1) * size
    )
    chain = np.asarray(prefix_ids(blocks), dtype=np.int64)[component]
    _, ids = np.unique(
        chain * (int(counts.max(initial=0)) + 1) + place, return_inverse=True
    )
    return Blocks(offsets, ids.astype(np.int64), None, size)


def _within(blocks: Blocks, input_tokens: Floats) -> Blocks:
    """Leave out blocks beyond the end of their prompt."""
    counts = np.diff(blocks.offsets)
    most = np.ceil(input_tokens / blocks.block_tokens).astype(np.int64)
    if (counts <= most).all():
        return blocks
    offsets, place = _ragged(np.minimum(counts, most))
    start = np.repeat(blocks.offsets[:-1], np.diff(offsets))
    return Blocks(offsets, blocks.ids[start + place], None, blocks.block_tokens)


def _turns(
    dialogue: Dialogue,
    process: ArrivalProcess,
    n: int,
    requests_per_s: float,
    rng: np.random.Generator,
) -> tuple[Ints, Floats]:
    """Session and arrival of each turn, by session; enough of them come from 0 on."""
    mean = dialogue.turns
    ahead_s = _BEFORE * mean * dialogue.think_s
    starts = int((n + requests_per_s * ahead_s) / mean * 1.2) + 16
    while True:
        start = draw_arrivals(process, starts, requests_per_s / mean, rng) - ahead_s
        turns = rng.geometric(1.0 / mean, starts)
        session = np.repeat(np.arange(starts), turns)
        waits = rng.exponential(dialogue.think_s, len(session))
        waits[np.concatenate([[0], np.cumsum(turns)[:-1]])] = 0.0
        arrival = start[session] + _running(waits, session)
        if (arrival >= 0).sum() >= n and (arrival > 0).any():
            return session, arrival
        starts *= 2


def _running(values: Floats, group: Ints) -> Floats:
    """Add up within each group of neighbours, this one included."""
    total = np.cumsum(values)
    first = np.concatenate([[True], np.diff(group) != 0])
    before = np.where(first, total - values, 0.0)
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(values)))
    return np.asarray(total - np.repeat(before[starts], lengths))


def _drawn(length: LengthDistribution, n: int, rng: np.random.Generator) -> Floats:
    return np.maximum(np.round(rng.choice(length.tokens, n)), 1.0)


def _stream_blocks(
    stream: Sequence[int] | Ints, input_tokens: Floats, output_tokens: Floats
) -> Blocks:
    """Give the full blocks of prompts ids; each prompt is the start of a stream.

    The answer goes on from there. Its last token is never stored.
    """
    size = _block_size(input_tokens)
    counts = (input_tokens // size).astype(np.int64)
    stored = input_tokens + np.maximum(output_tokens - 1.0, 0.0)
    more = (stored // size).astype(np.int64) - counts
    _, of_row = np.unique(stream, return_inverse=True)
    longest = np.zeros(int(of_row.max()) + 1, dtype=np.int64)
    np.maximum.at(longest, of_row, counts + more)
    first = np.concatenate([[0], np.cumsum(longest)[:-1]])[of_row]
    offsets, place = _ragged(counts)
    later, beyond = _ragged(more)
    answers = Blocks(later, np.repeat(first + counts, more) + beyond, None, size)
    return Blocks(offsets, np.repeat(first, counts) + place, None, size, answers)


def _ragged(counts: Ints) -> tuple[Ints, Ints]:
    """Offsets of rows of so many items, and the place of each item in its row."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return offsets, np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)


def _block_size(tokens: Floats) -> int:
    size = ENGINE_BLOCK_TOKENS
    while tokens.sum() / size > _MOST_BLOCKS:
        size *= 2
    return size
