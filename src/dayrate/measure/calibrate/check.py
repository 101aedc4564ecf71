"""Predict, then measure: other lengths and batches, and the server under load."""

import dataclasses
import datetime as dt
import statistics
from dataclasses import dataclass
from typing import Any

from dayrate import catalog
from dayrate.catalog.local import local_host_row
from dayrate.catalog.store import Row
from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.fit import Device, predict_s
from dayrate.measure.calibrate.llama import LlamaRunner
from dayrate.measure.calibrate.points import CHECKED, Point
from dayrate.measure.calibrate.run import (
    BUSY_FRAC,
    EMBEDDED,
    Ask,
    Talk,
    Timed,
    precision_of,
    runner_of,
    time_all,
    waited_frac,
)
from dayrate.measure.calibrate.stream import (
    Served,
    Streams,
    closed_form_tokens_per_s,
    serve,
    simulated,
)
from dayrate.measure.machine.effort import Effort, Watch, load_average
from dayrate.perf.deployment import Parallelism, machine_of
from dayrate.perf.efficiency import load_efficiency
from dayrate.serving.replica import Engine, Replica

__all__ = ["Check", "Compared", "check"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One point: tokens a second predicted, and measured."""

    point: Point
    predicted_s: float
    timed: Timed

    @property
    def tokens(self) -> int:
        """Tokens that come out of it: of the prompt, or one per sequence. [token]"""
        prompt = self.point.sequences == 1 and self.point.kind.value == "prefill"
        return self.point.tokens if prompt else self.point.sequences

    @property
    def predicted_per_s(self) -> float:
        """Tokens a second as predicted."""
        return self.tokens / self.predicted_s

    @property
    def measured_per_s(self) -> float:
        """Tokens a second as measured, less waiting for a core."""
        return self.tokens / self.timed.effort.own_s

    @property
    def error_frac(self) -> float:
        """Prediction over measurement, less 1."""
        return self.predicted_per_s / self.measured_per_s - 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """All that was predicted, and measured after it."""

    ask: Ask
    calibrated: str  # when
    date: dt.datetime
    points: tuple[Compared, ...]
    streams: Streams | None  # None: this engine has no server
    simulated: Served | None
    closed_form_tokens_per_s: float | None
    served: Served | None
    total: Effort
    load_after: float | None

    @property
    def median_error_frac(self) -> float:
        """Median of the absolute errors of the points. [1]"""
        return statistics.median(abs(c.error_frac) for c in self.points)

    @property
    def waited_frac(self) -> float:
        """Share of waiting for a core in what is compared. [1]"""
        found = [c.timed.effort for c in self.points]
        if self.served is not None and self.served.effort is not None:
            found.append(self.served.effort)
        return waited_frac(found)

    @property
    def busy(self) -> bool:
        """Whether others used the machine enough to blur the figures."""
        return self.waited_frac > BUSY_FRAC

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        return {
            "accelerator": self.ask.id,
            "engine": self.ask.engine,
            "threads": self.ask.used_threads,
            "calibrated": self.calibrated,
            "date": self.date.isoformat(timespec="seconds"),
            "effort": dataclasses.asdict(self.total),
            "waited_frac": self.waited_frac,
            "load_after": self.load_after,
            "busy": self.busy,
            "median_error_frac": self.median_error_frac,
            "points": [
                {
                    "what": str(c.point),
                    "predicted_tokens_per_s": c.predicted_per_s,
                    "measured_tokens_per_s": c.measured_per_s,
                    "error_frac": c.error_frac,
                    "effort": dataclasses.asdict(c.timed.effort),
                    "spread_frac": c.timed.spread_frac,
                }
                for c in self.points
            ],
            "streams": None if self.streams is None else self._streams_dict(),
        }

    def _streams_dict(self) -> dict[str, Any]:
        assert self.streams is not None
        return {
            **dataclasses.asdict(self.streams),
            "closed_form_tokens_per_s": self.closed_form_tokens_per_s,
            "simulated": dataclasses.asdict(self.simulated) if self.simulated else None,
            "measured": dataclasses.asdict(self.served) if self.served else None,
        }


def check(
    ask: Ask, streams: Streams | None = None, talk: Talk = lambda _: None
) -> Check:
    """Predict from the calibration, then measure.

    Raises
    ------
    InvalidInput
        There is no calibration.
    """
    began = dt.datetime.now(dt.UTC)
    host = local_host_row(ask.id)
    if ask.engine == "llama.cpp" and ask.model is None and host["model"] != EMBEDDED:
        raise InvalidInput(
            f"The calibration is of {host['model']}. Give its file with --gguf, or "
            "calibrate again without it."
        )
    ask = dataclasses.replace(
        ask, threads=_threads(ask, host), catalogued=str(host["model"])
    )
    streams = streams or Streams()
    replica = replica_of(ask, host, streams.slots)
    pass_tokens = int(host["pass_tokens"])
    device = Device(replica.model, replica.machine, replica.precision, pass_tokens)
    predicted = predict_s(CHECKED, device, replica.efficiency)
    requests = streams.listed()
    served, sim, closed = None, None, None
    runner = runner_of(ask, slots=streams.slots)
    with runner, Watch(runner.pids) as watch:
        timed = time_all(runner, CHECKED, ask.rounds, talk)
        if isinstance(runner, LlamaRunner):
            sim = simulated(replica, requests)
            closed = closed_form_tokens_per_s(replica, requests)
            talk(f"{streams.requests} requests on {streams.slots} slots …")
            served = serve(runner.server, requests)
    return Check(
        ask=ask,
        calibrated=str(host["date"]),
        date=began,
        points=tuple(
            Compared(t.point, float(s), t)
            for s, t in zip(predicted, timed, strict=True)
        ),
        streams=streams if served else None,
        simulated=sim,
        closed_form_tokens_per_s=closed,
        served=served,
        total=watch.effort,
        load_after=load_average(),
    )


def replica_of(ask: Ask, host: Row, slots: int) -> Replica:
    """Build what a quote would build for this machine, with the server's slots."""
    device = catalog.accelerator(ask.id)
    model = catalog.model(ask.model_id)
    precision = precision_of(ask.engine, model, cuda=bool(host["cuda"]))
    return Replica(
        model=model,
        machine=machine_of(device, network=device.link, precision=precision),
        parallelism=Parallelism(),
        precision=precision,
        engine=Engine(
            max_num_seqs=slots,
            max_num_batched_tokens=int(host["max_num_batched_tokens"]),
            request_s=float(host["request_ms"]) / 1e3,
        ),
        efficiency=load_efficiency(device.id, device.generation),
    )


def _threads(ask: Ask, host: Row) -> int:
    """Take the calibration's number: another would be another machine."""
    known = int(host["threads"])
    if ask.threads is not None and ask.threads != known:
        raise InvalidInput(
            f"--threads is {ask.threads} and the calibration used {known}. Leave it "
            "out, or calibrate again with it."
        )
    return known
