"""From what people write (``H100``, ``h100_sxm``, ``NVIDIA A100-SXM4-80GB``) to an id.

Case, spaces, dashes, vendor words and socket generations do not matter. A name that
fits one entry is that entry; one that fits several is an error that lists them. The
defaults for bare names are aliases in the data, so each can be read and argued about.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dayrate.errors import AmbiguousName, UnknownName

__all__ = ["NameIndex", "name_index"]

#: Words that many write and none needs.
_NOISE = frozenset(
    {"accelerator", "ai", "amazon", "amd", "apple", "aws", "blackwell", "cloud", "cpu"}
    | {"geforce", "google", "gpu", "habana", "hbm2", "hbm2e", "hbm3", "hbm3e", "huawei"}
    | {"instinct", "intel", "nvidia", "processor", "radeon", "tesla"}
)


@dataclass(frozen=True, slots=True)
class NameIndex:
    """The ids of one kind of thing with all their spellings."""

    kind: str
    spellings: Mapping[
        str, tuple[tuple[str, ...], ...]
    ]  # id -> tokens of each spelling

    def resolve(self, name: str) -> str:
        """Return the id that ``name`` means.

        Raises
        ------
        AmbiguousName
            Several entries fit.
        UnknownName
            None does.
        """
        wanted = _tokens(name)
        for fits in (self._spelt(wanted), self._containing(wanted)):
            if len(fits) == 1:
                return fits[0]
            if fits:
                raise AmbiguousName(self.kind, name, fits)
        # The start of a name is a hint, never an answer: "MI3" may be any of a series.
        starts = self._starting(wanted)
        if len(starts) > 1:
            raise AmbiguousName(self.kind, name, starts)
        raise UnknownName(self.kind, name, self.spellings)

    def _spelt(self, wanted: tuple[str, ...]) -> list[str]:
        key = "".join(wanted)
        return [i for i, s in self.spellings.items() if key in map("".join, s)]

    def _containing(self, wanted: tuple[str, ...]) -> list[str]:
        words = set(wanted)
        if not words:
            return []
        return [i for i, s in self.spellings.items() if any(words <= {*t} for t in s)]

    def _starting(self, wanted: tuple[str, ...]) -> list[str]:
        key = "".join(wanted)
        if not key:
            return []
        return [
            i
            for i, s in self.spellings.items()
            if any("".join(t).startswith(key) for t in s)
        ]


def name_index(kind: str, names: Mapping[str, Iterable[str]]) -> NameIndex:
    """Index ids by their own spelling and their aliases.

    >>> name_index("fruit", {"apple-red": ["cox"]}).resolve("COX")
    'apple-red'
    """
    return NameIndex(
        kind,
        {i: tuple(map(_tokens, (i, *aliases))) for i, aliases in names.items()},
    )


def _tokens(name: str) -> tuple[str, ...]:
    text = name.lower().replace("(r)", " ")
    text = re.sub(r"(\d)\s*gi?b\b", r"\1gb", text)
    parts = (w for w in re.split(r"[^a-z0-9+.]+", text) if w)
    words = tuple(re.sub(r"^sxm\d$", "sxm", w) for w in parts)
    return tuple(w for w in words if w not in _NOISE) or words
