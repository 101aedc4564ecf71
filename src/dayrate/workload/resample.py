"""A trace made denser, thinner, faster or longer; windows made into requests."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import (
    ArrivalProcess,
    RateCurve,
    curve_of,
    draw_arrivals,
    own_gaps,
)
from dayrate.workload.traces import Blocks, Trace

__all__ = [
    "MOST_REQUESTS",
    "check_count",
    "from_windows",
    "rows_repeated",
    "take_rows",
    "thinned",
    "warped",
    "with_arrivals",
    "with_fresh_arrivals",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_REQUESTS = 20_000_000


def check_count(n: float, remedy: str) -> int:
    """Round a number of requests to draw, or say that it is none or too many."""
    if not math.isfinite(n) or n > MOST_REQUESTS:
        raise InvalidInput(
            f"{n:.3g} requests are more than one simulation takes "
            f"({MOST_REQUESTS:g}). {remedy}"
        )
    if round(n) < 1:
        raise InvalidInput(
            f"{n:.3g} requests are to be drawn, which is none. Give more of them "
            "(--num-prompts), a higher --request-rate or a longer --duration."
        )
    return round(n)


def warped(trace: Trace, factor: float) -> Trace:
    """Let time run faster: ``factor`` times the rate, think times shorter as well.

    >>> import numpy as np
    >>> from dayrate.workload.traces import Blocks, Trace
    >>> two = Trace("csv", np.array([0.0, 9.0]), np.ones(2), np.ones(2))
    >>> warped(two, 3.0).arrival_s.tolist()
    [0.0, 3.0]
    """
    if not 0 < factor < math.inf:
        raise InvalidInput(
            f"Time runs {factor:g} times as fast; give a number above 0, such as 2."
        )
    if trace.arrival_s is None:
        raise InvalidInput(f"{trace.name} has no arrival times to warp.")
    return replace(
        trace, arrival_s=trace.arrival_s / factor, window_s=trace.window_s / factor
    )


def thinned(trace: Trace, keep_frac: float, rng: np.random.Generator) -> Trace:
    """Keep each request, or each whole session, with a probability."""
    if not 0 < keep_frac <= 1:
        raise InvalidInput(
            f"The share of requests to keep is {keep_frac:g}; give one above 0 and "
            "up to 1."
        )
    if trace.requests is not None:
        return replace(
            trace,
            requests=trace.requests * keep_frac,
            input_tokens=trace.input_tokens * keep_frac,
            output_tokens=trace.output_tokens * keep_frac,
        )
    of_row = np.arange(len(trace.input_tokens))
    if trace.sessions is not None:
        named = trace.sessions != ""  # a request without a session stands alone
        _, session = np.unique(trace.sessions, return_inverse=True)
        of_row = np.where(named, session, len(of_row) + of_row)
    kept = rng.random(int(of_row.max()) + 1) < keep_frac
    rows = np.flatnonzero(kept[of_row])
    if len(rows) == 0:
        raise InvalidInput(
            f"Nothing is left of the {len(of_row)} requests of {trace.name} when "
            f"{keep_frac:g} of them are kept. Keep more."
        )
    return take_rows(trace, rows)


def take_rows(trace: Trace, rows: Ints) -> Trace:
    """Keep some rows of a trace by request, in the order of ``rows``."""
    return replace(
        trace,
        arrival_s=None if trace.arrival_s is None else trace.arrival_s[rows],
        input_tokens=trace.input_tokens[rows],
        output_tokens=trace.output_tokens[rows],
        sessions=None if trace.sessions is None else trace.sessions[rows],
        blocks=None if trace.blocks is None else trace.blocks.take(rows),
        priority=None if trace.priority is None else trace.priority[rows],
        patience_s=None if trace.patience_s is None else trace.patience_s[rows],
    )


def with_arrivals(trace: Trace, arrival_s: Floats) -> Trace:
    """Repeat the rows, in their order, until there is one for each arrival."""
    return replace(rows_repeated(trace, len(arrival_s)), arrival_s=arrival_s)


def with_fresh_arrivals(
    trace: Trace,
    n: int | None,
    requests_per_s: float | None,
    process: ArrivalProcess | None,
    rng: np.random.Generator,
) -> Trace:
    """Redraw when the requests of a trace come; their rows stay in order.

    Without a process the trace's rate over time and the spread of its gaps stay; the
    rate is scaled to the mean asked for, and begins anew where ``n`` requests take
    longer than the trace. With one, the mean rate is constant.
    """
    if trace.arrival_s is None:
        raise InvalidInput(f"{trace.name} has no arrival times to draw others like.")
    arrival = trace.arrival_s - trace.arrival_s[0]
    span_s = _span_s(trace)
    own_rate = len(arrival) / span_s
    rate = own_rate if requests_per_s is None else requests_per_s
    remedy = "Give fewer (--num-prompts), or a lower --request-rate."
    n = check_count(rate * span_s if n is None else n, remedy)
    if process is not None or math.isinf(rate):
        drawn = draw_arrivals(process or ArrivalProcess(), n, rate, rng)
        return with_arrivals(trace, drawn)
    curve = curve_of(arrival, span_s)
    position = own_gaps(arrival, curve, n, rng)
    return with_arrivals(trace, curve.times(rate / own_rate).seconds(position))


def rows_repeated(trace: Trace, n: int) -> Trace:
    """Repeat the rows in order, as often as it takes to have ``n``.

    Each round has its own sessions and prefix blocks: the second time around nothing
    is cached yet.
    """
    size = len(trace.input_tokens)
    rows, turn = np.arange(n) % size, np.arange(n) // size
    repeated = take_rows(trace, rows)
    if n <= size:
        return repeated
    sessions, blocks = repeated.sessions, repeated.blocks
    if sessions is not None:
        suffix = np.where(turn > 0, np.char.add("#", turn.astype(np.str_)), "")
        sessions = np.char.add(sessions, suffix)
    if blocks is not None:
        answers = blocks.answers
        apart = int(blocks.ids.max(initial=0)) + 1
        if answers is not None:
            apart = max(apart, int(answers.ids.max(initial=0)) + 1)
            answers = _told_apart(answers, turn, apart)
        blocks = replace(_told_apart(blocks, turn, apart), answers=answers)
    return replace(repeated, sessions=sessions, blocks=blocks)


def _told_apart(blocks: Blocks, turn: Ints, apart: int) -> Blocks:
    of_block = np.repeat(turn, np.diff(blocks.offsets))
    return replace(blocks, ids=blocks.ids + of_block * apart)


def from_windows(
    trace: Trace,
    n: int | None,
    requests_per_s: float | None,
    rng: np.random.Generator,
) -> Trace:
    """Draw the requests of windows, which say how many there were and their tokens.

    Within a window requests know nothing of each other and have its mean lengths,
    rounded so that the totals stay.
    """
    if trace.requests is None or trace.arrival_s is None:
        raise InvalidInput(f"{trace.name} has no windows of requests.")
    start = trace.arrival_s - trace.arrival_s[0]
    edges, counts, row = _pieces(start, trace.window_s, trace.requests)
    total = float(counts.sum())
    own_rate = total / edges[-1]
    rate = own_rate if requests_per_s is None else requests_per_s
    remedy = "Give a share to keep (--thin), or how many (--num-prompts)."
    n = check_count(rate * edges[-1] if n is None else n, remedy)
    if math.isinf(rate):
        arrival = np.zeros(n)
    else:
        curve = RateCurve(edges, counts / np.diff(edges)).times(rate / own_rate)
        arrival = curve.seconds(np.sort(rng.uniform(0.0, n, n)))
    piece = np.searchsorted(edges, arrival % edges[-1], side="right") - 1
    of_row = row[np.clip(piece, 0, len(row) - 1)]
    return replace(
        trace,
        arrival_s=arrival,
        input_tokens=_lengths(trace.input_tokens, trace.requests, of_row),
        output_tokens=_lengths(trace.output_tokens, trace.requests, of_row),
        requests=None,
        window_s=0.0,
    )


def _span_s(trace: Trace) -> float:
    """From the first arrival to when one more would come. [s]"""
    rows = len(trace.input_tokens)
    if not trace.span_s > 0:
        raise InvalidInput(
            f"All requests of {trace.name} come at one time, so it has no rate. "
            "Give --arrivals with a --request-rate."
        )
    return trace.span_s * rows / (rows - 1)


def _pieces(
    start: Floats, window_s: float, requests: Floats
) -> tuple[Floats, Floats, Ints]:
    """Edges of windows and of the gaps between them, requests of each, and its row."""
    end = start + window_s
    edges = np.unique(np.concatenate([start, end]))
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-6 * window_s])]
    row = np.searchsorted(start, (edges[:-1] + edges[1:]) / 2, side="right") - 1
    within = (edges[:-1] + edges[1:]) / 2 < end[row]
    return edges, np.where(within, requests[row], 0.0), row


def _lengths(tokens: Floats, requests: Floats, of_row: Ints) -> Floats:
    """Mean length in the window of each request, up or down so that totals stay."""
    mean = np.full(len(tokens), tokens.sum() / requests.sum())
    np.divide(tokens, requests, out=mean, where=requests > 0)
    total = np.concatenate([[0.0], np.cumsum(mean[of_row])])
    return np.maximum(np.diff(np.round(total)), 1.0)
