"""Scenario files: a user's YAML, or one that ships with the package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput, UnknownName, did_you_mean

__all__ = ["ScenarioFile", "parse_scenario", "read_scenario", "shipped_scenarios"]

_PARTS = ("id", "title", "question", "source", "grade", "replay", "quote")


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """The parts of a scenario file, not yet checked.

    ``sections`` is what `scenario_from` takes; ``replay`` holds a published estimate
    with its own arithmetic, where the file has one.
    """

    id: str
    sections: Mapping[str, Any]
    replay: Mapping[str, Any] | None = None
    title: Mapping[str, str] = field(default_factory=dict)  # by language
    question: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_sections(self) -> bool:
        """Whether dayrate itself can answer, beside any published figure."""
        return bool(self.sections)


def shipped_scenarios() -> tuple[ScenarioFile, ...]:
    """All scenarios that come with the package, by id."""
    return tuple(
        _from_row(row) for row in sorted(rows("scenarios"), key=lambda r: str(r["id"]))
    )


def read_scenario(name: str) -> ScenarioFile:
    """Read a YAML file, or find a shipped scenario by its id.

    Raises
    ------
    InvalidInput
        The file is absent, is not YAML, or does not hold a mapping.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml", ".json"} or path.exists():
        return _from_path(path)
    known = {s.id: s for s in shipped_scenarios()}
    if name not in known:
        raise UnknownName("scenario", name, known)
    return known[name]


def parse_scenario(text: str, *, name: str) -> ScenarioFile:
    """Read the YAML of one scenario; ``name`` is what errors call it.

    Raises
    ------
    InvalidInput
        The text is not YAML, or does not hold a mapping.

    Examples
    --------
    >>> parse_scenario("workload: {isl: 1155}", name="stdin").sections
    {'workload': {'isl': 1155}}
    """
    try:
        data = yaml.load(text, Loader=_OneOfEachKey)
    except (yaml.YAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" near line {where.line + 1}" if where else ""
        raise InvalidInput(f"{name!r} is not valid YAML{line}.") from None
    if not isinstance(data, Mapping):
        raise InvalidInput(
            f"{name!r} does not hold a mapping; a scenario has the sections "
            "model, workload, slo, deployment, autoscale and economics."
        )
    if "quote" in data or "replay" in data:
        _check_parts(data, name)
        return _from_row({"id": Path(name).stem, **data})
    return ScenarioFile(Path(name).stem, data)


class _OneOfEachKey(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Build one mapping of the document."""
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidInput(
                    f"The key in line {key.start_mark.line + 1} is no text. "
                    "Keys are names, as in model."
                )
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise InvalidInput(
                    f"{key.value} is given twice, again in line "
                    f"{key.start_mark.line + 1}. Keep one."
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _check_parts(data: Mapping[str, Any], name: str) -> None:
    """Refuse parts of a shipped-style scenario that are unknown or no mapping."""
    for key, part in data.items():
        if key not in _PARTS:
            close = did_you_mean(str(key), _PARTS)
            hint = f"Did you mean {close}?" if close else f"Keys: {', '.join(_PARTS)}."
            raise InvalidInput(f"{key} is not a key of {name!r}. {hint}")
        if key in {"source", "replay", "quote"} and not isinstance(part, Mapping):
            raise InvalidInput(f"{key} in {name!r} is {part!r}; it must be a mapping.")


def _from_path(path: Path) -> ScenarioFile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InvalidInput(
            f"The scenario file {str(path)!r} cannot be read: {reason}."
        ) from None
    return parse_scenario(text, name=str(path))


def _from_row(row: Mapping[str, Any]) -> ScenarioFile:
    return ScenarioFile(
        id=row["id"],
        sections=row.get("quote") or {},
        replay=row.get("replay"),
        title=_by_language(row.get("title")),
        question=_by_language(row.get("question")),
        source=row.get("source") or {},
    )


def _by_language(text: Any) -> Mapping[str, str]:
    """Read plain text as English."""
    return text if isinstance(text, Mapping) else {"en": str(text)} if text else {}
