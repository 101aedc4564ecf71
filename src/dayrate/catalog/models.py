"""The catalogue's models by name: their shape, or where it is unpublished, their size.

A name is an id, its part after the slash, or an alias, in any case and with spaces,
underscores and hyphens alike; or the path of a config.json or of its folder; or a
GPT-3-like shape written out, ``gpt3-175b[L96,h12288,heads96,vocab51200]``.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dayrate.catalog import store
from dayrate.catalog.hf_config import read_config_file, spec_from_config
from dayrate.catalog.model import ModelSpec, PublishedCounts
from dayrate.catalog.params import active_params, total_params
from dayrate.errors import AmbiguousName, InvalidInput, UnknownName, UnreadableConfig
from dayrate.evidence import Source

__all__ = [
    "Counts",
    "CountsOnly",
    "model",
    "model_config",
    "model_counts",
    "model_ids",
    "model_row",
]

Row = Mapping[str, Any]
SUFFIX = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
SHAPE = re.compile(r"(?P<name>[^\[\]]*)\[(?P<parts>[^\[\]]+)\]")
PART = re.compile(r"([A-Za-z]+)=?(\d+)")
#: What each letter of a written-out shape means in GPT-2's config.
SHAPE_FIELDS = {
    "l": "n_layer",
    "h": "n_embd",
    "heads": "n_head",
    "vocab": "vocab_size",
    "ffn": "n_inner",
    "seq": "n_positions",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Parameters of a model whose shape is known. [1]"""

    id: str
    total_params: int
    active_params: int
    source: Source | None


@dataclass(frozen=True, slots=True)
class CountsOnly:
    """Parameters of a model whose shape is not; None is unknown. [1]"""

    id: str
    total_params: float | None
    active_params: float | None
    source: Source
    why_no_dimensions: str


def model_ids() -> tuple[str, ...]:
    """Every id of the catalogue, those of unknown shape included."""
    return tuple(_by_id())


def model_row(name: str) -> Row:
    """Return the catalogue row a name means, as written in the data."""
    return store.row("models", name) or _by_id()[_resolve(name)]


def model_config(name: str) -> Mapping[str, Any]:
    """Return the fields of a catalogued model's config.json.

    >>> model_config("gpt2")["n_layer"]
    12
    """
    row = model_row(name)
    if "counts" in row:
        raise _no_dimensions(row)
    return _config(row)[0]


def model(name: str) -> ModelSpec:
    """Return the shape of a model, by name or from a config.json on disk.

    Raises
    ------
    UnknownName, AmbiguousName
        The name fits no entry, or several.
    UnreadableConfig
        The file is absent, malformed, or lacks a field.
    InvalidInput
        The model's dimensions are unknown.

    Examples
    --------
    >>> spec = model("llama-3.1-70b-instruct")
    >>> spec.id, spec.hidden_size
    ('meta-llama/Llama-3.1-70B-Instruct', 8192)
    """
    if _is_path(name):
        path = Path(os.path.expanduser(name))  # leaves an unknown ~user as it is
        return spec_from_config(read_config_file(path), id=_id_of(path))
    return _by_name(name)


@functools.cache
def _by_name(name: str) -> ModelSpec:
    shape = SHAPE.fullmatch(name)
    if shape:
        return _written_out(name, shape)
    row = model_row(name)
    if "counts" in row:
        raise _no_dimensions(row)
    config, base = _config(row)
    return spec_from_config(
        config,
        id=row["id"],
        published=_published(row.get("published") or base.get("published")),
        source=_source(row if "reference" in row else base),
        notes=tuple(row.get("notes", ())),
    )


def model_counts(name: str) -> Counts | CountsOnly:
    """Return the size of a model, whether its shape is known or not.

    >>> model_counts("grok-3").total_params is None
    True
    >>> model_counts("gpt2").total_params
    124439808
    """
    if not _is_path(name) and not SHAPE.fullmatch(name):
        row = model_row(name)
        if "counts" in row:
            return _counts_only(row)
    spec = model(name)
    return Counts(spec.id, total_params(spec), active_params(spec), spec.source)


def _is_path(name: str) -> bool:
    if name.endswith(".json") or name.startswith((".", "/", "~")):
        return True
    return bool(name.strip()) and Path(name).is_dir()


def _id_of(path: Path) -> str:
    """Name a config by its folder, unless the file has a name of its own."""
    if path.suffix == ".json" and path.name != "config.json":
        return path.stem
    folder = path.parent if path.name == "config.json" else path
    return folder.resolve().name


def _written_out(name: str, shape: re.Match[str]) -> ModelSpec:
    """Read ``name[L12,h768,heads12,vocab50257]`` as a decoder of GPT-3's kind."""
    parts = [p.strip() for p in shape["parts"].split(",")]
    config: dict[str, Any] = {
        "model_type": "gpt2",
        "n_positions": 2048,
        "torch_dtype": "float16",
    }
    for part in parts:
        found = PART.fullmatch(part)
        field = SHAPE_FIELDS.get(found[1].lower()) if found else None
        if found is None or field is None:
            raise UnreadableConfig(
                f"{name!r} has the part {part!r}; a shape is written "
                "NAME[L96,h12288,heads96,vocab51200], with seq2048 and ffn49152 "
                "where they differ."
            )
        config[field] = int(found[2])
    note = "GPT-3-like by its dimensions: ungated MLP, biases, learned positions."
    return spec_from_config(config, id=name, notes=(note,))


def _config(row: Row) -> tuple[Mapping[str, Any], Row]:
    """Return a row's config and the row it comes from."""
    base = model_row(row["config_of"]) if "config_of" in row else row
    return {**base["config"], **row.get("with", {})}, base


def _published(row: Row | None) -> PublishedCounts | None:
    if not row:
        return None
    active = row.get("active_params")
    source = Source(row["title"], row["href"], str(row["date"]))
    return PublishedCounts(
        _number(row["total_params"]), _number(active) if active else None, source
    )


def _number(text: str | int) -> float:
    """Read ``671B`` or a plain count.

    >>> _number("1.04T"), _number(7)
    (1040000000000.0, 7.0)
    """
    text = str(text)
    return float(text.rstrip("KMBT")) * SUFFIX.get(text[-1], 1)


def _source(row: Row) -> Source:
    first = row["reference"][0]
    checked = str(row["checked"])
    return Source(first["title"], first["href"], checked=checked)


def _counts_only(row: Row) -> CountsOnly:
    counts = row["counts"]
    total, active = counts.get("total_params"), counts.get("active_params")
    why = row["why_no_dimensions"]
    return CountsOnly(row["id"], total, active, _source(row), why)


def _no_dimensions(row: Row) -> InvalidInput:
    counts = _counts_only(row)
    known = (
        f"{counts.total_params / 1e9:g}B parameters"
        if counts.total_params
        else "no parameter count either"
    )
    return InvalidInput(
        f"The dimensions of {counts.id} are not known here ({known}). "
        f"{counts.why_no_dimensions} Give the path of a config.json instead."
    )


@functools.cache
def _by_id() -> Mapping[str, Row]:
    return {row["id"]: row for row in store.rows("models")}


@functools.cache
def _names() -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    """Return exact names (ids, aliases), and short ones with all they may mean."""
    exact: dict[str, str] = {}
    short: dict[str, list[str]] = {}
    for row in _by_id().values():
        for name in (row["id"], *row.get("aliases", ())):
            exact[_plain(name)] = row["id"]
            tail = _plain(name).rsplit("/", 1)[-1]
            ids = short.setdefault(tail, [])
            if row["id"] not in ids:
                ids.append(row["id"])
    return exact, {name: tuple(ids) for name, ids in short.items()}


def _resolve(name: str) -> str:
    exact, short = _names()
    plain = _plain(name)
    if plain in exact:
        return exact[plain]
    ids = short.get(plain, ())
    if len(ids) == 1:
        return ids[0]
    choices = sorted(set(ids or _starting_with(plain, short)))
    if len(choices) > 1:
        raise AmbiguousName("model", name, choices)
    raise UnknownName("model", name, _known())


def _starting_with(plain: str, short: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Ids that a family's name, such as ``llama-3.1``, stands in front of."""
    for tail, ids in short.items():
        if tail.startswith(f"{plain}-"):
            yield from ids


def _known() -> list[str]:
    rows = _by_id().values()
    return [n for r in rows for n in (r["id"], r["id"].rsplit("/", 1)[-1])]


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip().lower())
