"""Hugging Face transformers timed in this process, on torch's device.

The weights are random: speed does not depend on them, and nothing is downloaded.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from dayrate.catalog.models import model_config
from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.calibrate.points import DECODE_STEPS, Kind, Point
from dayrate.measure.machine.effort import Effort, Watch

__all__ = ["TransformersRunner"]

_WHOLE = 1 << 30  # prompts are computed in one pass


class TransformersRunner:
    """Runs points with a model of some shape and random weights."""

    def __init__(self, model: str, *, threads: int) -> None:
        self._name, self._threads = model, threads
        self._before = 0
        self._model: Any = None
        self.request_s: list[float] = []

    @property
    def pass_tokens(self) -> int:
        """Most tokens of one pass through the model."""
        return _WHOLE

    @property
    def pids(self) -> tuple[int, ...]:
        """Return this process."""
        return (os.getpid(),)

    @property
    def cuda(self) -> bool:
        """Whether torch has an accelerator."""
        return bool(_torch().cuda.is_available())

    @property
    def device(self) -> str:
        """Where torch runs it."""
        return "cuda" if self.cuda else "cpu"

    def __enter__(self) -> Self:
        torch, transformers = _torch(), _imported("transformers")
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        config = _config(transformers, model_config(self._name))
        kind = torch.bfloat16 if self.cuda else torch.float32
        built = transformers.AutoModelForCausalLM.from_config(config)
        self._model = built.to(device=self.device, dtype=kind).eval()
        self.time(Point(Kind.PREFILL, 8))  # the first one is slow
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._model = None
        _torch().set_num_threads(self._before)

    def time(self, point: Point) -> Effort:
        """Time a prompt, or one step of a batch."""
        torch = _torch()
        with torch.inference_mode():
            tokens = torch.full((point.sequences, point.tokens), 17, device=self.device)
            if point.kind is Kind.PREFILL:
                return self._watched(lambda: self._forward(tokens, None), 1)
            cache = self._forward(tokens, None)
            return self._watched(lambda: self._decode(tokens, cache), DECODE_STEPS)

    def _decode(self, tokens: Any, cache: Any) -> None:
        last = tokens[:, -1:]
        for _ in range(DECODE_STEPS):
            cache = self._forward(last, cache)

    def _forward(self, tokens: Any, cache: Any) -> Any:
        """Compute the logits of the last position only, as generation does."""
        return self._model(
            input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1
        ).past_key_values

    def _watched(self, work: Callable[[], Any], steps: int) -> Effort:
        self._wait()
        with Watch(self.pids) as watch:
            work()
            self._wait()
        e = watch.effort
        parts = (e.processor_s, e.waited_s)
        ran, waited = (None if x is None else x / steps for x in parts)
        return Effort(e.wall_s / steps, ran, waited, e.load_1min)

    def _wait(self) -> None:
        """Let a device finish: its kernels are started, not waited for."""
        if self.cuda:
            _torch().cuda.synchronize()


def _config(transformers: Any, fields: Mapping[str, Any]) -> Any:
    own = {k: v for k, v in fields.items() if k != "quantization_config"}
    kind = own.pop("model_type")
    try:
        return transformers.AutoConfig.for_model(kind, **own)
    except (ValueError, KeyError) as error:
        raise InvalidInput(
            f"transformers cannot build a model of type {kind!r}: {error}. "
            "Give another --model."
        ) from error


def _torch() -> Any:
    return _imported("torch")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(what="Calibrating transformers", extra="torch") from None
