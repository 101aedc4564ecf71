"""A calibration as a file of the user's: rows as the shipped data has them."""

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from dayrate.catalog.local import local_file
from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.run import BATCH_TOKENS, SLOTS, Calibration
from dayrate.measure.power import EnergySource, find_meters
from dayrate.measure.power.estimate import HIGH_FRAC, LOW_FRAC
from dayrate.units import GB, GIB, TERA

__all__ = ["document", "ready_to_write", "save"]

Row = dict[str, Any]

_HEAD = """\
# This machine as `dayrate measure calibrate` found it on {date}, load {load}.
# `dayrate quote --accelerator {id}` reads it. Run it again rather than edit the file.
"""
#: A machine with nothing to do, over one at full load: assumed.
_IDLE_FRAC = (0.1, 0.3, 0.5)


class _Plain(yaml.SafeDumper):
    """Writes what two rows share in both, short lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never point from one row to another."""
        return True


_Plain.add_representer(
    list,
    lambda dumper, data: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", data, flow_style=not any(_nested(x) for x in data)
    ),
)


def _nested(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) > 3


def save(c: Calibration) -> Path:
    """Write a calibration whole or not at all.

    Raises
    ------
    InvalidInput
        The folder cannot be written.
    """
    target = ready_to_write(c.ask.id)
    load = "unknown" if c.total.load_1min is None else f"{c.total.load_1min:.2f}"
    head = _HEAD.format(date=_date(c), load=load, id=c.ask.id)
    body = yaml.dump(
        document(c), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )
    with _told(target):
        _write_whole(target, head + body)
    return target


def ready_to_write(name: str) -> Path:
    """Make the folder of a calibration and see that it takes files.

    Raises
    ------
    InvalidInput
        The folder cannot be written.
    """
    target = local_file(name)
    with _told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    return target


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"Cannot write {target}: {error.strerror or error}. Set DAYRATE_CONFIG_DIR "
            "to a folder that may be written."
        ) from error


def _write_whole(target: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        dir=target.parent,
        prefix=f".{target.name}.",
        delete=False,
    ) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def document(c: Calibration) -> Row:
    """Rows of the device, its power, the coefficients, and all that was timed."""
    peak, bandwidth = _roofs(c)
    return {
        "accelerators": [_accelerator(c, peak, bandwidth)],
        "servers": _servers(c),
        "calibration": _coefficients(c, peak, bandwidth),
        "conditions": _conditions(c),
        "timed": [_timed_row(c, i) for i in range(len(c.timed))],
    }


def _roofs(c: Calibration) -> tuple[float, float]:
    """Best rate that was seen, of the probe or of the engine: no share exceeds 1."""
    v, machine = c.fit.values, c.device.machine
    shares = [value for name, value in v.items() if name.endswith("flop_frac")]
    peak = float(machine.matmul_flop_per_s) * max(1.0, *shares)
    return peak, float(machine.hbm_bytes_per_s) * max(1.0, v["byte_frac"])


def _accelerator(c: Calibration, peak: float, bandwidth: float) -> Row:
    gpu = c.about.gpus[0] if c.cuda and c.about.gpus else None
    name = f"{c.about.processor}, threads: {c.ask.used_threads}"
    memory = gpu.memory_bytes if gpu else c.about.memory_bytes or 0
    tflops = _round(peak / TERA)
    return {
        "id": c.ask.id,
        "name": gpu.name if gpu else name,
        "vendor": "local",
        "generation": c.ask.id,
        "form": "GPU" if c.cuda else "CPU",
        "year": c.date.year,
        "hbm_capacity_gib": _round(memory / GIB),
        "hbm_bandwidth_gb_per_s": _round(bandwidth / GB),
        # the best rate in any format: engines compute 16 bits in whichever is fastest
        "peak_dense_tflops": {"fp32": tflops, "bf16": tflops},
        "tdp_w": _full_load_w(c)[1] or None,
        "link": {"id": "socket", "world_size": 1},
        "confidence": "low" if c.busy else "medium",
        **_origin(c, f"measured with {c.engine_version}"),
    }


def _servers(c: Calibration) -> list[Row]:
    low, mid, high, grade, source = _full_load_w(c)
    if mid == 0.0:
        return []

    def kw(factors: tuple[float, float, float], grade: str, source: str) -> Row:
        names = zip(("low", "mid", "high"), (low, mid, high), factors, strict=True)
        values = {n: _round(w * f / 1e3) for n, w, f in names}
        return {**values, "grade": grade, "date": _date(c), "source": source}

    full = (1.0, 1.0, 1.0)
    return [
        {
            "id": c.ask.id,
            "kind": "server",
            "name": "this machine",
            "accelerators": {c.ask.id: 1},
            "rated_kw": kw(full, grade, source),
            "idle_kw": kw(
                _IDLE_FRAC, "assumed", "10, 30 and 50 % of full load: assumed"
            ),
            "busy_kw": kw(full, grade, source),
            "inter_node": "socket",
            "confidence": "low",
            **_origin(c, source),
        }
    ]


def _full_load_w(c: Calibration) -> tuple[float, float, float, str, str]:
    """Power at full load: as given, as counted, from the rating, or unknown (0)."""
    given = c.ask.full_load_w
    if given:
        return given, given, given, "given", "as given: --full-load-watts"
    if c.energy.source is EnergySource.MEASURED and c.energy.joules:
        watts = _round(c.energy.joules / c.total.wall_s) if c.total.wall_s else 0.0
        return watts, watts, watts, "measured", f"{c.energy.meter}, while calibrating"
    core = find_meters().core
    if core is None:
        return 0.0, 0.0, 0.0, "", ""
    n = c.ask.used_threads
    low, high = core.low_w * LOW_FRAC * n, core.high_w * HIGH_FRAC * n
    source = f"rated power of {core.what}; cores: {n}; processor only"
    return _round(low), _round(core.mid_w * n), _round(high), "assumed", source


def _coefficients(c: Calibration, peak: float, bandwidth: float) -> list[Row]:
    f = c.fit.coefficients
    over = peak / float(c.device.machine.matmul_flop_per_s)
    wide = bandwidth / float(c.device.machine.hbm_bytes_per_s)
    shared = {
        "accelerator": c.ask.id,
        "generation": c.ask.id,
        "engine": c.engine_version,
        "confidence": "fitted",
        "date": _date(c),
        **_origin(c, f"dayrate measure calibrate, {c.device.model.id}"),
    }

    def named(operation: str, **own: Any) -> Row:
        return {
            "id": f"{c.ask.id}/{operation}",
            "operation": operation,
            **own,
            **shared,
        }

    byte = _valued("byte_frac", f["byte_frac"], 1 / wide)
    return [
        *(
            named(
                operation,
                dtype="bf16",
                **_valued("flop_frac", f[f"{name}_flop_frac"], 1 / over),
                **byte,
                fixed_us=0.0,
            )
            for operation, name in (
                ("gemm", "gemm"),
                ("attention_prefill", "prefill_attention"),
                ("attention_decode", "decode_attention"),
            )
        ),
        named("elementwise", dtype="bf16", flop_frac=1.0, **byte, fixed_us=0.0),
        named(
            "host",
            **_valued("step_us", f["step_s"], 1e6),
            **_valued("layer_us", f["layer_s"], 1e6),
            **_valued("sequence_us", f["sequence_s"], 1e6),
            request_ms=_round(c.request_s * 1e3),
            max_num_seqs=SLOTS if c.ask.engine == "llama.cpp" else 16,
            max_num_batched_tokens=BATCH_TOKENS,
            threads=c.ask.used_threads,
            pass_tokens=c.device.pass_tokens,
            model=c.device.model.id,
            cuda=c.cuda,
        ),
        named("memory", reserve_gib=0.0),
        named("collective", ranks=[1, 2], byte_frac=[1.0, 1.0], fixed_us=[0.0, 0.0]),
    ]


def _valued(name: str, c: Any, scale: float) -> Row:
    values = (c.value, c.low, c.high)
    value, low, high = (_round(x * scale) for x in values)
    return {name: value, f"{name}_80": [low, high]}


def _conditions(c: Calibration) -> Row:
    return {
        "began": c.date.isoformat(timespec="seconds"),
        "processor": c.about.processor,
        "threads": c.ask.used_threads,
        "engine": c.engine_version,
        "model": c.device.model.id,
        "rounds": c.ask.rounds,
        "load_before": _round(c.total.load_1min),
        "load_after": _round(c.load_after),
        "waited_frac": _round(c.waited_frac),
        "median_error_frac": _round(c.fit.median_error_frac),
        "energy_j": _round(c.energy.joules),
        "energy_source": c.energy.source.value,
    }


def _timed_row(c: Calibration, i: int) -> Row:
    t, e = c.timed[i], c.timed[i].effort
    return {
        "what": str(t.point),
        "own_ms": _round(e.own_s * 1e3),
        "wall_ms": _round(e.wall_s * 1e3),
        "processor_ms": _round(None if e.processor_s is None else e.processor_s * 1e3),
        "spread_frac": _round(t.spread_frac),
        "fitted_over_measured": _round(math.exp(c.fit.log_errors[i])),
    }


def _origin(c: Calibration, title: str) -> Mapping[str, Any]:
    reference = [{"title": title, "href": "", "date": _date(c)}]
    return {"checked": _date(c), "reference": reference}


def _date(c: Calibration) -> str:
    return c.date.date().isoformat()


def _round(value: float | None) -> Any:
    """Round to four significant digits, so that files can be read."""
    return None if value is None else float(f"{value:.4g}")
