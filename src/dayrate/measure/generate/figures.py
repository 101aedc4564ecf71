"""The figures of a run: speeds, memory, operations, joules and money."""

from dataclasses import dataclass
from typing import Any

from dayrate import catalog
from dayrate.cost.breakdown import Cost
from dayrate.errors import InvalidInput
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Host, Trace
from dayrate.measure.generate.work import decode_flop, prefill_flop
from dayrate.measure.power import Energy
from dayrate.units import DType

__all__ = ["Figures", "Peak", "peak_of"]

#: Names of this machine in the catalogue, once it was calibrated.
_THIS_MACHINE = {
    "llamacpp": "this-machine",
    "transformers": "this-machine-transformers",
}
_DTYPES = {
    "float32": DType.FP32,
    "bfloat16": DType.BF16,
    "float16": DType.FP16,
}


@dataclass(frozen=True, slots=True)
class Peak:
    """A device's rate of matrix products, and whose it is."""

    accelerator: str
    flop_per_s: float


def peak_of(accelerator: str | None, host: Host) -> Peak | None:
    """Peak of a catalogued accelerator; else of the device that ran, if it is known.

    Formats of llama.cpp are multiplied in 32 bits on a processor.
    """
    wanted = _DTYPES.get(host.dtype, DType.FP32)
    here = _THIS_MACHINE[host.backend] if host.device == "cpu" else host.device
    try:
        device = catalog.accelerator(accelerator or here)
        return Peak(device.id, device.matmul_flop_per_s(wanted))
    except InvalidInput:
        if accelerator is not None:
            raise
        return None


@dataclass(frozen=True, slots=True)
class Figures:
    """A run with what it took; properties are derived, None is unknown."""

    host: Host
    trace: Trace
    energy: Energy
    tariff: Tariff
    peak: Peak | None = None
    counted_flop: int | None = None
    load_1min: float | None = None
    processor_s: float | None = None

    @property
    def seconds(self) -> float:
        """Time of all passes, loading not included. [s]"""
        return sum(p.seconds for p in self.trace.passes)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt. [token]"""
        return self.trace.passes[0].prompt_tokens

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that were in the cache. [token]"""
        return self.trace.passes[0].cached_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens of the texts that are shown. [token]"""
        return sum(o.tokens for o in self.trace.outputs)

    @property
    def ttft_s(self) -> float | None:
        """Time to the first token. [s]"""
        steps = self.trace.passes[0].step_s
        return steps[0] if steps else None

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Computed tokens of the prompt over the time to the first token. [token/s]"""
        return _over(self.trace.passes[0].computed_tokens, self.ttft_s)

    @property
    def decode_s(self) -> float:
        """Time from the first to the last token of each pass. [s]"""
        return sum(p.step_s[-1] - p.step_s[0] for p in self.trace.passes if p.step_s)

    @property
    def decode_tokens_per_s(self) -> float | None:
        """Tokens of the texts after the first of each, over their time. [token/s]"""
        after = sum(max(0, o.tokens - 1) for o in self.trace.outputs)
        return _over(after, self.decode_s)

    @property
    def prefill_flop(self) -> float | None:
        """Matrix products of the prompts. [FLOP]"""
        spec = self.host.spec
        passes = self.trace.passes
        return None if spec is None else sum(prefill_flop(spec, p) for p in passes)

    @property
    def decode_flop(self) -> float | None:
        """Matrix products of the decode steps. [FLOP]"""
        spec = self.host.spec
        passes = self.trace.passes
        return None if spec is None else sum(decode_flop(spec, p) for p in passes)

    @property
    def prefill_mfu(self) -> float | None:
        """Share of the peak in the time to the first token. [1]"""
        first = self.trace.passes[0]
        if self.host.spec is None or self.peak is None or not self.ttft_s:
            return None
        flop = prefill_flop(self.host.spec, first)
        return flop / self.ttft_s / self.peak.flop_per_s

    @property
    def decode_mfu(self) -> float | None:
        """Share of the peak while decoding. [1]"""
        if self.decode_flop is None or self.peak is None or not self.decode_s:
            return None
        return self.decode_flop / self.decode_s / self.peak.flop_per_s

    @property
    def cost(self) -> Cost:
        """What the run cost, by term. [USD]"""
        return self.tariff.cost(self.seconds, self.energy)

    @property
    def usd_per_1k_output_tokens(self) -> float | None:
        """The whole run over the tokens it gave. [USD/1k token]"""
        if not self.cost.terms_usd:
            return None
        return _over(float(self.cost.total_usd) * 1000, self.output_tokens)

    def to_dict(self) -> dict[str, Any]:
        """Every figure as JSON types, for programs."""
        host = self.host
        return {
            "model": host.model,
            "backend": host.backend,
            "device": host.device,
            "dtype": host.dtype,
            "threads": host.threads,
            "load_1min": self.load_1min,
            "context_tokens": host.context_tokens,
            "load_s": host.load_s,
            "outputs": [
                {"text": o.text, "tokens": o.tokens, "finish": o.finish.value}
                for o in self.trace.outputs
            ],
            **self.numbers(),
        }

    def numbers(self) -> dict[str, Any]:
        """Give the measured figures alone."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "seconds": self.seconds,
            "processor_s": self.processor_s,
            "ttft_s": self.ttft_s,
            "prefill_tokens_per_s": self.prefill_tokens_per_s,
            "decode_tokens_per_s": self.decode_tokens_per_s,
            "peak_rss_bytes": self.trace.peak_rss_bytes,
            "peak_gpu_bytes": self.trace.peak_gpu_bytes,
            "prefill_flop": self.prefill_flop,
            "decode_flop": self.decode_flop,
            "counted_flop": self.counted_flop,
            "peak_flop_per_s": self.peak.flop_per_s if self.peak else None,
            "prefill_mfu_frac": self.prefill_mfu,
            "decode_mfu_frac": self.decode_mfu,
            "energy": _energy(self.energy),
            "cost": self._money(),
        }

    def _money(self) -> dict[str, Any] | None:
        if not self.tariff.given:
            return None
        return {
            "currency": self.tariff.currency,
            "currency_per_usd": self.tariff.currency_per_usd,
            "usd_per_kwh": self.tariff.usd_per_kwh,
            "machine_usd_per_h": self.tariff.machine_usd_per_h,
            "terms_usd": dict(self.cost.terms_usd),
            "total_usd": self.cost.total_usd if self.cost.terms_usd else None,
            "usd_per_1k_output_tokens": self.usd_per_1k_output_tokens,
        }


def _energy(energy: Energy) -> dict[str, Any]:
    return {
        "joules": energy.joules,
        "low_joules": energy.low_joules,
        "high_joules": energy.high_joules,
        "source": energy.source.value,
        "meter": energy.meter,
    }


def _over(count: float, seconds: float | None) -> float | None:
    return count / seconds if seconds and count else None
