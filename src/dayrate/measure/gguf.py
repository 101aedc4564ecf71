"""The header of a GGUF file: its metadata, whether it is whole, the model's shape.

Engines say of a bad file only that they cannot load it. Long lists (the vocabulary) are
skipped: their length is what is needed. The format is described at [1]_.

References
----------
.. [1] https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dayrate.catalog.hf_config import spec_from_config
from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput, UnreadableConfig

__all__ = ["GgufHeader", "Listed", "gguf_spec", "read_gguf"]

_SCALARS = dict(zip(range(8), "BbHhIif?", strict=True)) | {10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9
_VERSIONS = (2, 3)
#: Elements and bytes of one block, by number of the format; others are not checked.
_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    30: (1, 2),
}
#: Architectures whose metadata say all that a config.json says.
_DENSE = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of the metadata that was skipped."""

    length: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: frozenset[str]

    def of_architecture(self, key: str, default: Any = None) -> Any:
        """Value of a key under the architecture's name."""
        name = self.metadata.get("general.architecture", "")
        return self.metadata.get(f"{name}.{key}", default)

    @property
    def context_tokens(self) -> int | None:
        """Longest context the model was trained for. [token]"""
        value = self.of_architecture("context_length")
        return value if isinstance(value, int) else None

    @property
    def has_chat_template(self) -> bool:
        """Whether it knows how a conversation is written."""
        return bool(self.metadata.get("tokenizer.chat_template"))


def read_gguf(path: Path) -> GgufHeader:
    """Read a header, and check that the file reaches to its last tensor.

    Raises
    ------
    InvalidInput
        It is no GGUF file, or a part of one.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 24:
                raise InvalidInput(_not_gguf(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data, size).header()
    except OSError as error:
        raise InvalidInput(
            f"Cannot read {path}: {error.strerror or error}. Give a GGUF file."
        ) from error


def gguf_spec(header: GgufHeader) -> ModelSpec | None:
    """Shape of the model, where its metadata tell; else None."""
    get = header.of_architecture
    kind = _DENSE.get(header.metadata.get("general.architecture", ""))
    if kind is None or get("expert_count"):
        return None
    vocabulary = header.metadata.get("tokenizer.ggml.tokens")
    config = {
        "model_type": kind,
        "hidden_size": get("embedding_length"),
        "num_hidden_layers": get("block_count"),
        "intermediate_size": get("feed_forward_length"),
        "num_attention_heads": get("attention.head_count"),
        "num_key_value_heads": get("attention.head_count_kv"),
        "head_dim": get("attention.key_length"),
        "vocab_size": vocabulary.length if isinstance(vocabulary, Listed) else None,
        "max_position_embeddings": header.context_tokens,
        "tie_word_embeddings": "output.weight" not in header.tensors,
    }
    known = {k: v for k, v in config.items() if v is not None}
    try:
        return spec_from_config(known, id=header.path.stem)
    except UnreadableConfig:
        return None


class _Reader:
    """Walks the bytes of a header."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self._path, self._data, self._size, self._at = path, data, size, 0

    def header(self) -> GgufHeader:
        if self._data[:4] != b"GGUF":
            raise InvalidInput(_not_gguf(self._path))
        self._at = 4
        try:
            version = self._scalar("I")
            if version not in _VERSIONS:
                raise InvalidInput(
                    f"{self._path} is GGUF of version {version}; versions 2 and 3 are "
                    "read. Convert it with a current llama.cpp."
                )
            n_tensors, n_keys = self._scalar("Q"), self._scalar("Q")
            metadata = {self._text(): self._value() for _ in range(n_keys)}
            tensors, end = self._tensors(n_tensors)
        except (struct.error, UnicodeDecodeError, KeyError) as error:
            raise self._cut_short() from error
        align = max(1, int(metadata.get("general.alignment", 32)))
        start = -(-self._at // align) * align
        if start + end > self._size:
            raise self._cut_short()
        return GgufHeader(self._path, metadata, tensors)

    def _tensors(self, count: int) -> tuple[frozenset[str], int]:
        """Names of the tensors, and where the last one ends. [B]"""
        names, end = set(), 0
        for _ in range(count):
            names.add(self._text())
            elements = 1
            for _ in range(self._scalar("I")):
                elements *= self._scalar("Q")
            per_block, block_bytes = _BLOCKS.get(self._scalar("I"), (elements, 1))
            size = -(-elements // max(1, per_block)) * block_bytes
            end = max(end, self._scalar("Q") + size)
        return frozenset(names), end

    def _scalar(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self._data, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return value

    def _text(self) -> str:
        length = self._scalar("Q")
        self._at += length
        if self._at > self._size:
            raise self._cut_short()
        return self._data[self._at - length : self._at].decode()

    def _value(self) -> Any:
        kind = self._scalar("I")
        if kind == _STRING:
            return self._text()
        return self._list() if kind == _LIST else self._scalar(_SCALARS[kind])

    def _list(self) -> Listed:
        kind, length = self._scalar("I"), self._scalar("Q")
        if kind in _SCALARS:
            self._at += length * struct.calcsize(f"<{_SCALARS[kind]}")
        elif kind == _STRING:
            self._skip_texts(length)
        else:
            raise KeyError(kind)
        if self._at > self._size:
            raise self._cut_short()
        return Listed(length)

    def _skip_texts(self, count: int) -> None:
        unpack, data, at = struct.Struct("<Q").unpack_from, self._data, self._at
        for _ in range(count):
            at += 8 + unpack(data, at)[0]
        self._at = at

    def _cut_short(self) -> InvalidInput:
        return InvalidInput(
            f"{self._path} ends before its last tensor ({self._size:,} bytes): the "
            "file is damaged or was cut short. Download or copy it again."
        )


def _not_gguf(path: Path) -> str:
    return f"{path} is no GGUF file. Give one, or a folder with safetensors."
