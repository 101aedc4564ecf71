"""Parts as rows: those of like layers together, or each kind of layer on its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dayrate.anatomy.parts import Key, Part
from dayrate.anatomy.walk import Anatomy
from dayrate.anatomy.work import Work

__all__ = ["Row", "grouped_rows", "work_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """A part as shown: over several groups of layers, or in one.

    ``heading`` is shared by rows of the same layers.
    """

    name: str
    parts: tuple[Part, ...]
    heading: tuple[str, tuple[int, ...]]

    @property
    def layers(self) -> int:
        """Layers that have it; 0 outside of layers. [1]"""
        return sum(part.layers for part in self.parts)

    @property
    def params(self) -> int:
        """Parameters of all of them. [1]"""
        return sum(part.params for part in self.parts)


def grouped_rows(anatomy: Anatomy, *, by_kind: bool = False) -> list[Row]:
    """List the rows in the order of the parts; all but the parts that do nothing."""
    worked = {key for phase in anatomy.phases for key in _busy(phase.by_part)}
    rows: dict[object, list[Part]] = {}
    for part in anatomy.parts:
        if part.key in worked or part.params or part.key.name in _ALWAYS:
            where = part.key.group if by_kind else part.stack
            inside = part.key.group is not None
            rows.setdefault((part.key.name, inside, where), []).append(part)
    listed = [
        Row(parts[0].key.name, tuple(parts), _heading(parts, anatomy, by_kind))
        for parts in rows.values()
    ]
    return _in_order(listed)


_ALWAYS = frozenset({"tokens", "positions"})


def work_of(row: Row, works: Mapping[Key, Work]) -> Work | None:
    """Sum the work of a row's parts; None where they do nothing in this phase."""
    found = [works[part.key] for part in row.parts if part.key in works]
    return sum(found, start=Work()) if found else None


def _busy(works: Mapping[Key, Work]) -> Iterator[Key]:
    return (k for k, w in works.items() if w.flop or w.bytes or w.seconds)


def _heading(
    parts: Sequence[Part], anatomy: Anatomy, by_kind: bool
) -> tuple[str, tuple[int, ...]]:
    """Name the stack and the groups of layers that a row stands in."""
    group = parts[0].key.group
    if group is None:
        return "", ()
    stack = parts[0].stack
    if by_kind:
        return stack, (group,)
    blocks = enumerate(anatomy.model.blocks)
    same = (i for i, b in blocks if not stack or b.encoder == (stack == "encoder"))
    return stack, tuple(same)


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """Put what stands in the same layers side by side, where the first of it stood."""
    first: dict[tuple[str, tuple[int, ...]], int] = {}
    for i, row in enumerate(rows):
        first.setdefault(row.heading, i)
    whole = [i if not r.heading[1] else first[r.heading] for i, r in enumerate(rows)]
    return [rows[i] for i in sorted(range(len(rows)), key=lambda i: (whole[i], i))]
