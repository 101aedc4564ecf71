"""Who multiplies matrices here: torch on processors or CUDA, else numpy."""

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np

__all__ = ["Backend", "NumpyBackend", "TorchBackend", "find_backends"]


class Backend(Protocol):
    """Matrices of some formats on one device, and their products."""

    @property
    def name(self) -> str:
        """Library and device, for people."""

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats to try; a device may still refuse one."""

    def matrix(self, rows: int, columns: int, dtype: str) -> Any:
        """Make a matrix without zeros: those may be multiplied faster."""

    def multiply(self, a: Any, b: Any) -> None:
        """Multiply, and come back when it is done."""

    def add(self, a: Any, b: Any, out: Any) -> None:
        """Add three times ``b`` to ``a``: STREAM's triad."""

    def using(self, threads: int) -> AbstractContextManager[None]:
        """Compute with so many threads inside the block."""


class NumpyBackend:
    """What numpy's own BLAS does."""

    name = "numpy"
    formats: tuple[str, ...] = ("fp32",)

    def matrix(self, rows: int, columns: int, dtype: str) -> Any:
        """Make a matrix."""
        assert dtype == "fp32"
        return np.full((rows, columns), 1.25, dtype=np.float32)

    def multiply(self, a: Any, b: Any) -> None:
        """Multiply."""
        np.matmul(a, b)

    def add(self, a: Any, b: Any, out: Any) -> None:
        """Add without the factor, which numpy would make another pass of."""
        np.add(a, b, out=out)

    def using(self, threads: int) -> AbstractContextManager[None]:
        """Leave the number alone: BLAS took it from the environment at its start."""
        return nullcontext()


class TorchBackend:
    """What torch does on a device."""

    def __init__(self, torch: Any, device: str = "cpu") -> None:
        self._torch, self._device = torch, device

    @property
    def name(self) -> str:
        """Library, version and device."""
        if self._device == "cpu":
            return f"torch {self._torch.__version__}"
        shown = self._torch.cuda.get_device_name(self._device)
        return f"torch {self._torch.__version__} on {shown}"

    @property
    def formats(self) -> tuple[str, ...]:
        """All that are common."""
        return ("fp32", "bf16", "fp16", "int8")

    def matrix(self, rows: int, columns: int, dtype: str) -> Any:
        """Make a matrix."""
        t = self._torch
        kinds = {"fp32": t.float32, "bf16": t.bfloat16, "fp16": t.float16}
        kind = kinds.get(dtype, t.int8)
        value = 3 if dtype == "int8" else 1.25
        return t.full((rows, columns), value, dtype=kind, device=self._device)

    def multiply(self, a: Any, b: Any) -> None:
        """Multiply; bytes have a product of their own, which sums in 32 bits."""
        t = self._torch
        with t.inference_mode():
            t._int_mm(a, b) if a.dtype == t.int8 else t.matmul(a, b)
        self._wait()

    def add(self, a: Any, b: Any, out: Any) -> None:
        """Add three times ``b``."""
        with self._torch.inference_mode():
            self._torch.add(a, b, alpha=3.0, out=out)
        self._wait()

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        """Give torch so many threads, and back what it had."""
        before = self._torch.get_num_threads()
        self._torch.set_num_threads(threads)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)

    def _wait(self) -> None:
        if self._device != "cpu":
            self._torch.cuda.synchronize(self._device)


def find_backends(torch: Any | None = None) -> tuple[Backend, ...]:
    """Processors first, then every CUDA device that torch sees."""
    torch = _installed_torch() if torch is None else torch
    if torch is None:
        return (NumpyBackend(),)
    devices = []
    if torch.cuda.is_available():
        devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return (TorchBackend(torch), *(TorchBackend(torch, d) for d in devices))


def _installed_torch() -> Any | None:
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None
