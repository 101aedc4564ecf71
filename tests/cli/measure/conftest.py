"""The small models of ``tests/measure``, for its commands."""

from tests.measure.conftest import gpt2, tiny_gguf, torch, vocabulary

__all__ = ["gpt2", "tiny_gguf", "torch", "vocabulary"]
