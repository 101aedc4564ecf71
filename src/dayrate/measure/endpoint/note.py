"""Sentences of a result that a report may translate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Note", "mark"]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence with its figures apart, so that it can be translated."""

    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def said(self, text: str) -> str:
        """Put the figures into the sentence, or into a translation of it."""
        return text.format(**self.values) if self.values else text

    def __str__(self) -> str:
        return self.said(self.text)


def mark(message: str) -> str:
    """Mark a text for translation; reports translate it when it is shown."""
    return message
