"""Request traces: read, checked, and counted where they are wrong."""

import csv
import gzip
import io
import math
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput, UnreadableTrace
from dayrate.units import DAY_S
from dayrate.workload.trace_formats import ACCEPTED, Raw, read_rows

__all__ = [
    "BLOCK_TOKENS",
    "Blocks",
    "Trace",
    "hit_rate",
    "parse_trace",
    "prefix_ids",
    "read_trace",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Tokens of a prefix-cache block in the Mooncake traces.
BLOCK_TOKENS = 512

_LONGEST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Blocks:
    """Prefix-cache blocks, ragged: of request i ``ids[offsets[i]:offsets[i + 1]]``."""

    offsets: Ints
    ids: Ints
    tokens: Ints | None = None  # tokens of each block, where the trace says so
    block_tokens: int = BLOCK_TOKENS  # of a full block, where it does not
    answers: "Blocks | None" = None  # that the answers fill, where these are known

    def take(self, rows: Ints) -> "Blocks":
        """Keep the blocks of some requests, in the order of ``rows``."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1])
        index += np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        tokens = None if self.tokens is None else self.tokens[index]
        answers = None if self.answers is None else self.answers.take(rows)
        return Blocks(offsets, self.ids[index], tokens, self.block_tokens, answers)


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests, or windows of requests, by arrival; every row is usable."""

    format: str
    arrival_s: Floats | None  # sorted; start of the window where rows are windows
    input_tokens: Floats  # of the request, or of all requests of the window
    output_tokens: Floats
    requests: Floats | None = None  # of each window; None: every row is one request
    window_s: float = 0.0
    start_s_of_day: float = 0.0  # time of day (UTC) at arrival_s = 0, where known
    sessions: npt.NDArray[np.str_] | None = None
    blocks: Blocks | None = None
    priority: Floats | None = None  # lower goes first
    patience_s: Floats | None = None  # until a request is cancelled; infinite: never
    name: str = "trace"
    dropped: Mapping[str, int] = field(default_factory=dict)  # reason: rows
    notes: tuple[str, ...] = ()

    @property
    def has_arrivals(self) -> bool:
        """Whether the trace says when requests came."""
        return self.arrival_s is not None

    @property
    def request_counts(self) -> Floats:
        """Requests of each row. [1]"""
        ones = np.ones(len(self.input_tokens))
        return ones if self.requests is None else self.requests

    @property
    def span_s(self) -> float:
        """From the first arrival to the last, or to the end of the last window. [s]"""
        if self.arrival_s is None:
            return 0.0
        return float(self.arrival_s[-1] - self.arrival_s[0]) + self.window_s

    @property
    def requests_per_day(self) -> float | None:
        """Requests over the span, scaled to a day; None without a span. [1/day]"""
        if self.span_s <= 0:
            return None
        return float(self.request_counts.sum()) / self.span_s * DAY_S


def read_trace(path: str | Path, *, model: str | None = None) -> Trace:
    """Read a trace file of any accepted format, plain or gzip.

    ``model`` keeps the rows of one model, where the trace has that column.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return parse_trace(file, name=path.name, model=model)
    except OSError as e:
        raise UnreadableTrace(
            f"Cannot read the trace {path}: {e.strerror or e}. "
            "Give a CSV or JSON-lines file, plain or gzip."
        ) from e


def parse_trace(
    file: BinaryIO, *, name: str = "trace", model: str | None = None
) -> Trace:
    """Read a trace from an open, seekable binary file; see `read_trace`."""
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    binary = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_gzip else file
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
    try:
        form, raw = read_rows(text, name)
    except UnicodeDecodeError as e:
        raise UnreadableTrace(f"{name} is not UTF-8 text. {ACCEPTED}") from e
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise UnreadableTrace(
            f"{name} is not a whole gzip file ({e}). Fetch it again."
        ) from e
    except csv.Error as e:
        raise UnreadableTrace(f"{name} is not a CSV file ({e}). {ACCEPTED}") from e
    finally:
        text.detach()
    return _checked(form, _of_model(raw, model, name), name)


def hit_rate(
    trace: Trace,
    capacity_blocks: float = math.inf,
    *,
    block_tokens: int = BLOCK_TOKENS,
) -> float:
    """Share of input tokens that a prefix cache of whole blocks would serve.

    One cache for all requests, least recently used block out first; a request hits
    with its leading blocks up to the first that is absent.

    Parameters
    ----------
    trace : Trace
        With block ids.
    capacity_blocks : float
        Blocks that the cache holds. [1]
    block_tokens : int
        Tokens of a full block, where the trace does not say. [token]

    Returns
    -------
    float
        Hit tokens over input tokens. [1]
    """
    if trace.blocks is None:
        raise InvalidInput(
            f"{trace.name} has no hash_ids, so prefix reuse is unknown. "
            "Give --cached-input-frac."
        )
    if not capacity_blocks > 0:
        raise InvalidInput(f"A cache of {capacity_blocks:g} blocks; give 1 or more.")
    offsets = trace.blocks.offsets.tolist()
    ids = prefix_ids(trace.blocks)
    hits = np.zeros(len(trace.input_tokens), dtype=np.int64)
    cache: OrderedDict[int, None] = OrderedDict()
    for i, (start, end) in enumerate(pairwise(offsets)):
        blocks = ids[start:end]
        hits[i] = next((n for n, b in enumerate(blocks) if b not in cache), end - start)
        for block in blocks:
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > capacity_blocks:
            cache.popitem(last=False)
    return _hit_tokens(trace, trace.blocks, hits, block_tokens) / float(
        trace.input_tokens.sum()
    )


def prefix_ids(blocks: Blocks) -> list[int]:
    """Give each block an id of its own content and of all before it in the request.

    Blocks of equal size are hashed with their prefix already. Blocks that state their
    tokens are components (a passage, a prompt), reusable only behind the same prefix.
    """
    ids: list[int] = blocks.ids.tolist()
    if blocks.tokens is None:
        return ids
    known: dict[tuple[int, int], int] = {}
    for start, end in pairwise(blocks.offsets.tolist()):
        prefix = -1
        for i in range(start, end):
            ids[i] = prefix = known.setdefault((prefix, ids[i]), len(known))
    return ids


def _hit_tokens(trace: Trace, blocks: Blocks, hits: Ints, block_tokens: int) -> float:
    """Tokens of the leading ``hits`` blocks of each request; the last may be part."""
    if blocks.tokens is None:
        tokens = hits * block_tokens
    else:
        running = np.concatenate([[0], np.cumsum(blocks.tokens)])
        tokens = running[blocks.offsets[:-1] + hits] - running[blocks.offsets[:-1]]
    return float(np.minimum(tokens, trace.input_tokens).sum())


def _of_model(raw: Raw, model: str | None, name: str) -> Raw:
    if raw.models is None:
        if model is not None:
            raise InvalidInput(f"{name} has no model column to pick {model!r} from.")
        return raw
    known = sorted(set(raw.models.tolist()))
    if model is None:
        if raw.requests is not None and len(known) > 1:
            raise InvalidInput(
                f"{name} holds the load of several models: {', '.join(known)}. "
                "Say which (--trace-model)."
            )
        return raw
    if model not in known:
        raise InvalidInput(f"{name} has no model {model!r}; it has {', '.join(known)}.")
    return _take(raw, np.flatnonzero(raw.models == model))


def _take(raw: Raw, rows: Ints) -> Raw:
    hashes = raw.hashes
    if hashes is not None:
        kept = _blocks(hashes).take(rows)
        hashes = (np.diff(kept.offsets), kept.ids, kept.tokens)
    return Raw(
        input_tokens=raw.input_tokens[rows],
        output_tokens=raw.output_tokens[rows],
        arrival_s=None if raw.arrival_s is None else raw.arrival_s[rows],
        requests=None if raw.requests is None else raw.requests[rows],
        sessions=None if raw.sessions is None else raw.sessions[rows],
        models=None if raw.models is None else raw.models[rows],
        hashes=hashes,
        priority=None if raw.priority is None else raw.priority[rows],
        cancel_s=None if raw.cancel_s is None else raw.cancel_s[rows],
    )


def _blocks(hashes: tuple[Ints, Ints, Ints | None]) -> Blocks:
    counts, ids, tokens = hashes
    return Blocks(np.concatenate([[0], np.cumsum(counts)]), ids, tokens)


def _checked(form: str, raw: Raw, name: str) -> Trace:
    """Drop and count what cannot be used, sort by arrival, and say so."""
    fault, reasons = _faults(raw)
    counts = np.bincount(fault, minlength=len(reasons)).tolist()
    dropped = {w: n for w, n in zip(reasons, counts, strict=True) if w and n}
    rows, n_dropped = len(fault), sum(dropped.values())
    why = ", ".join(f"{n} with {w}" for w, n in dropped.items())
    if 2 * n_dropped > rows or n_dropped == rows:
        raise UnreadableTrace(
            f"{name}: {n_dropped} of {rows} rows cannot be used ({why}). Token counts "
            "must be positive numbers and times finite; correct the file."
        )
    notes = [f"{n_dropped} of {rows} rows dropped: {why}"] if dropped else []
    raw = _take(raw, np.flatnonzero(fault == 0)) if dropped else raw
    if raw.arrival_s is not None:
        late = int((raw.arrival_s < np.maximum.accumulate(raw.arrival_s)).sum())
        if late:
            notes.append(f"{late} rows were out of order of arrival and were sorted")
            raw = _take(raw, np.argsort(raw.arrival_s, kind="stable"))
    if raw.models is not None and len(models := sorted(set(raw.models.tolist()))) > 1:
        notes.append(f"requests to {', '.join(models)} taken together")
    return _trace(form, raw, name, dropped, tuple(notes))


def _faults(raw: Raw) -> tuple[Ints, tuple[str, ...]]:
    """Find the first fault of each row, as a number into the reasons; 0 is none."""
    busy = np.ones(len(raw.input_tokens), dtype=np.bool_)
    faults: list[tuple[Bools, str]] = []
    for values, what in ((raw.arrival_s, "arrival time"), (raw.requests, "requests")):
        if values is not None:
            faults.append((~np.isfinite(values), f"no number as {what}"))
    if raw.priority is not None:
        faults.append((~np.isfinite(raw.priority), "no number as priority"))
    if raw.cancel_s is not None:
        faults.append((np.isnan(raw.cancel_s), "no number as time of cancellation"))
    if raw.requests is not None:
        faults.append((raw.requests < 0, "negative requests"))
        busy = raw.requests != 0
    for tokens, side in ((raw.input_tokens, "input"), (raw.output_tokens, "output")):
        faults.append((~np.isfinite(tokens), f"no number as {side} tokens"))
        faults.append((tokens < 0, f"negative {side} tokens"))
        failed = " (a failed request)" if side == "output" else ""
        faults.append(((tokens == 0) & busy, f"zero {side} tokens{failed}"))
    masks, reasons = zip(*faults, strict=True)
    numbers = np.argmax([np.zeros_like(busy), *masks], axis=0)
    return numbers, ("", *reasons)


def _trace(
    form: str, raw: Raw, name: str, dropped: Mapping[str, int], notes: tuple[str, ...]
) -> Trace:
    arrival, start_s_of_day = raw.arrival_s, 0.0
    if arrival is not None and arrival[-1] - arrival[0] > _LONGEST_DAYS * DAY_S:
        raise UnreadableTrace(
            f"{name} spans {(arrival[-1] - arrival[0]) / DAY_S:.3g} days. Arrivals are "
            "in seconds, on one clock; correct those that are not."
        )
    if raw.requests is not None and not raw.requests.any():
        raise UnreadableTrace(f"{name} has windows and no request in any of them.")
    if form in {"azure", "burstgpt"} and arrival is not None:
        start_s_of_day = float(arrival[0] % DAY_S)
        arrival = arrival - arrival[0]
    return Trace(
        format=form,
        arrival_s=arrival,
        input_tokens=raw.input_tokens,
        output_tokens=raw.output_tokens,
        requests=raw.requests,
        window_s=_window_s(arrival, name) if raw.requests is not None else 0.0,
        start_s_of_day=start_s_of_day,
        sessions=raw.sessions,
        blocks=None if raw.hashes is None else _blocks(raw.hashes),
        priority=raw.priority,
        patience_s=_patience_s(raw),
        name=name,
        dropped=dropped,
        notes=notes,
    )


def _patience_s(raw: Raw) -> Floats | None:
    """Time from arrival to cancellation, which stays when arrivals are drawn anew."""
    if raw.cancel_s is None or raw.arrival_s is None:
        return None
    return raw.cancel_s - raw.arrival_s


def _window_s(starts: Floats | None, name: str) -> float:
    """Length of the windows: the smallest distance between two of them."""
    steps = np.diff(starts) if starts is not None else np.array([])
    if not np.any(steps > 0):
        raise UnreadableTrace(
            f"{name} has a single window, whose length is unknown. Give two at least."
        )
    return float(steps[steps > 0].min())
