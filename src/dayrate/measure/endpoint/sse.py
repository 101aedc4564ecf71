"""Server-sent events out of bytes as they arrive, however they are cut.

The format is the HTML standard's: lines end in LF, CR or CRLF; ``data`` lines of one
event join with a line break; a line that begins with a colon is a comment; a blank
line ends the event.

References
----------
.. [1] WHATWG, "HTML: 9.2.6 Interpreting an event stream".
"""

import re
from dataclasses import dataclass

__all__ = ["Event", "EventStream", "EventTooLong"]

#: Far beyond any token; a server that never ends a line must not fill the memory.
_LONGEST_EVENT_BYTES = 8 << 20
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class EventTooLong(Exception):
    """An event larger than any answer has."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type (``message`` unless named) and data."""

    data: str
    type: str = "message"


class EventStream:
    r"""Decode one response.

    Examples
    --------
    >>> stream = EventStream()
    >>> stream.feed(b"data: a\r") + stream.feed(b"\ndata: b\r\n\r\n")
    [Event(data='a\nb', type='message')]
    """

    def __init__(self) -> None:
        self._rest = b""  # of a line
        self._after_cr = False  # the last line ended in CR: an LF belongs to it
        self._first = True
        self._data: list[str] = []
        self._type = ""
        self._bytes = 0  # of the data so far

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that this chunk completes.

        Raises
        ------
        EventTooLong
            The event has no end in sight.
        """
        found = [self._line(line) for line in self._lines(chunk)]
        if len(self._rest) + self._bytes > _LONGEST_EVENT_BYTES:
            raise EventTooLong
        return [event for event in found if event is not None]

    def close(self) -> Event | None:
        """Return an event whose blank line never came, if there is one."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        return self._dispatched()

    def _lines(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        text = self._rest + chunk
        self._after_cr = text.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(text)
        return lines

    def _line(self, line: bytes) -> Event | None:
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line:
            return self._dispatched()
        name, _colon, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._bytes += len(line)
        elif name == "event":
            self._type = value
        return None

    def _dispatched(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._type, self._bytes = [], "", 0
        return Event("\n".join(data), kind or "message") if data else None
