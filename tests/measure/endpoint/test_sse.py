"""Events do not depend on how bytes are cut, nor on how lines end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.measure.endpoint.sse import Event, EventStream, EventTooLong

ENDS = ("\n", "\r", "\r\n")
LINES = [
    *(": a comment", "data: {", "data: }", ""),
    *("event: error", "data:no space", "id: 3", "retry: 10", ""),
    *("data", "", "", "data: 你好", "data:  two spaces", "unknown: x", ""),
]
EVENTS = [
    Event("{\n}"),
    Event("no space", "error"),
    Event(""),
    Event("你好\n two spaces"),
]


def events_of(parts: list[bytes]) -> list[Event]:
    stream = EventStream()
    return [event for part in parts for event in stream.feed(part)]


@given(
    ends=st.lists(st.sampled_from(ENDS), min_size=len(LINES), max_size=len(LINES)),
    cuts=st.lists(st.integers(0, 200)),
    mark=st.booleans(),
)
def test_cuts_and_line_ends_change_nothing(
    ends: list[str], cuts: list[int], mark: bool
) -> None:
    # a CR before an empty line that ends in LF would read as one line end
    pairs = list(zip(LINES, ends, strict=True))
    text = "\ufeff" * mark
    for i, (line, end) in enumerate(pairs):
        crlf_by_chance = end == "\r" and pairs[i + 1 : i + 2] == [("", "\n")]
        text += line + ("\n" if crlf_by_chance else end)
    raw = text.encode()
    at = sorted({0, *(c for c in cuts if c < len(raw)), len(raw)})
    assert events_of([raw[a:b] for a, b in pairwise(at)]) == EVENTS


def test_the_last_event_needs_no_blank_line_when_asked() -> None:
    stream = EventStream()
    assert stream.feed(b"data: [DONE]") == []
    assert stream.close() == Event("[DONE]")
    assert stream.close() is None


def test_bytes_that_are_no_text_are_marked() -> None:
    assert events_of([b"data: \xff\n\n"]) == [Event("\ufffd")]


@pytest.mark.parametrize("line", [b"x" * 9_000_000, b"x" * 5_000_000 + b"\n"])
def test_an_event_without_end_is_stopped(line: bytes) -> None:
    stream = EventStream()
    assert stream.feed(b"data: " + b"x" * 5_000_000 + b"\n") == []
    with pytest.raises(EventTooLong):
        stream.feed(b"data: " + line)
