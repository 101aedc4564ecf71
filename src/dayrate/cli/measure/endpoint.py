"""``dayrate measure endpoint``: load any server that speaks OpenAI's API."""

import contextlib
import datetime
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dayrate.cli.measure import endpoint_options as flag
from dayrate.cli.measure import options
from dayrate.cli.output import (
    asked_words,
    colour,
    page_width,
    say,
    write,
    write_file,
)
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.measure.endpoint.compare import Comparison
    from dayrate.measure.endpoint.note import Note
    from dayrate.measure.endpoint.plan import Pace
    from dayrate.measure.endpoint.result import Result
    from dayrate.measure.endpoint.run import Ask
    from dayrate.measure.endpoint.tables import Deployed

__all__ = ["EPILOG", "endpoint_command"]

EPILOG = (
    "Example: dayrate measure endpoint --local --isl 128 --osl 32 --concurrency 4 "
    "--results results.csv"
)
_CONCURRENCY = 4
_EMBEDDED_MODEL, _EMBEDDED_FORMAT = "HuggingFaceTB/SmolLM2-135M", "int4"


def endpoint_command(
    ctx: typer.Context,
    url: flag.Url = None,
    *,
    api: flag.Api = "completions",
    served_model_name: flag.ServedModelName = None,
    api_key_env: flag.ApiKeyEnv = None,
    allow_remote: flag.AllowRemote = False,
    ignore_eos: flag.IgnoreEos = True,
    local: flag.Local = False,
    gguf: flag.LocalModel = None,
    slots: flag.Slots = 4,
    max_model_len: flag.MaxModelLen = 2048,
    threads: flag.Threads = None,
    server_log: flag.ServerLog = None,
    preset: flag.Preset = None,
    trace: flag.Trace = None,
    trace_model: flag.TraceModel = None,
    isl: flag.Isl = None,
    osl: flag.Osl = None,
    concurrency: flag.Concurrency = None,
    request_rate: flag.RequestRate = None,
    burstiness: flag.Burstiness = None,
    speedup: flag.Speedup = None,
    shared_prefix_tokens: flag.SharedPrefix = 0,
    seed: flag.Seed = 0,
    max_requests: flag.MaxRequests = 100,
    max_seconds: flag.MaxSeconds = 60.0,
    warmup: flag.Warmup = 2,
    max_retries: flag.MaxRetries = 2,
    request_timeout: flag.RequestTimeout = None,
    ttft: flag.Ttft = None,
    tpot: flag.Tpot = None,
    model: flag.Model = None,
    accelerator: flag.Accelerator = None,
    accelerators: flag.Accelerators = None,
    tensor_parallel_size: flag.TensorParallel = None,
    quantization: flag.Quantization = "",
    kv_cache_dtype: flag.KvCacheDtype = "",
    engine: flag.Engine = "",
    engine_version: flag.EngineVersion = "",
    results: flag.Results = None,
    requests: flag.Requests = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
) -> None:
    """Send requests to a server within a budget, and report what came back.

    Any server with OpenAI's /v1/completions or /v1/chat/completions will do. Only this
    machine is loaded unless --allow-remote is given.
    """
    _run(ctx.params)


def _run(given: dict[str, Any]) -> None:
    """Check everything that was typed, then load, write and print."""
    from dayrate.measure.endpoint.run import Stop  # noqa: PLC0415 - slow

    _ = asked_words(given["lang"])
    ask, deployed, targets = _ask(given), _deployed(given), _targets(given)
    for name in ("results", "requests", "server_log"):
        _writable(given[name])
    with _server(given) as url:
        say(
            _("At most {n} requests in {s} s (--max-requests, --max-seconds).").format(
                n=ask.max_requests, s=f"{ask.max_seconds:g}"
            )
        )
        result = _loaded(url, given, ask, targets)
    from dayrate.measure.endpoint.compare import compare  # noqa: PLC0415

    comparison = compare(result, deployed)
    try:
        _save(result, deployed, given)
    finally:
        write(_shown(result, comparison, given))
    stop, done = result.run.stop, result.summary.done
    if stop is Stop.INTERRUPTED:
        raise KeyboardInterrupt
    if not done or stop is Stop.DEAD:
        raise InvalidInput(_nothing(result))


def _loaded(url: str, given: dict[str, Any], ask: "Ask", targets: Any) -> "Result":
    from dayrate.cli.measure.endpoint_progress import Bar  # noqa: PLC0415 - slow
    from dayrate.measure.endpoint.remarks import remarks  # noqa: PLC0415
    from dayrate.measure.endpoint.result import Result, summary_of  # noqa: PLC0415
    from dayrate.measure.endpoint.run import run_load  # noqa: PLC0415
    from dayrate.measure.endpoint.target import target_of  # noqa: PLC0415

    target = target_of(
        url, allow_remote=given["allow_remote"], api_key_env=given["api_key_env"]
    )
    began = datetime.datetime.now(datetime.UTC)
    before = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with Bar(asked_words(given["lang"])) as bar:
        run = run_load(target, ask, bar)
    summary = summary_of(run, targets)
    notes = [*remarks(run, summary), *(_busy(before) if target.here else ())]
    return Result(run, targets, summary, began, tuple(notes))


def _busy(load: float) -> Iterator["Note"]:
    """Say so if others were using the machine that the server shares."""
    from dayrate.measure.endpoint.note import Note, mark  # noqa: PLC0415 - slow

    cores = os.cpu_count() or 1
    if load > cores / 2:
        text = mark("this machine was busy: {load} processes on {cores} cores before")
        yield Note(text, {"load": f"{load:.1f}", "cores": cores})


@contextlib.contextmanager
def _server(given: dict[str, Any]) -> Iterator[str]:
    """Give the URL to load: as typed, or of a server that runs meanwhile."""
    if given["local"] == (given["url"] is not None):
        raise InvalidInput(
            "Give the URL of a server, as in http://127.0.0.1:8000, or --local to "
            "start a small one; one of the two."
        )
    if not given["local"]:
        if given["gguf"] or given["server_log"]:
            raise InvalidInput(
                "--gguf and --server-log are of the embedded server. Give --local "
                "without a URL, or leave them out."
            )
        yield given["url"]
        return
    from dayrate.measure.models import EMBEDDED, embedded_gguf  # noqa: PLC0415
    from dayrate.measure.server import EmbeddedServer, ServerSettings  # noqa: PLC0415

    path = Path(given["gguf"]) if given["gguf"] else embedded_gguf()
    settings = ServerSettings(
        path,
        path.stem if given["gguf"] else EMBEDDED,
        slots=given["slots"],
        context_tokens=given["max_model_len"],
        threads=given["threads"],
        prompt_cache=given["shared_prefix_tokens"] > 0,
    )
    log = Path(given["server_log"]) if given["server_log"] else None
    _ = asked_words(given["lang"])
    with EmbeddedServer(settings, log=log) as server:
        try:
            yield server.url
        finally:
            if not server.alive:
                died = _("The embedded server died. Its log is {path}.")
                say(died.format(path=server.log_path))


def _ask(given: dict[str, Any]) -> "Ask":
    from dayrate.measure.endpoint.api import Api  # noqa: PLC0415 - slow
    from dayrate.measure.endpoint.client import Patience  # noqa: PLC0415
    from dayrate.measure.endpoint.learn import Manner  # noqa: PLC0415
    from dayrate.measure.endpoint.run import Ask  # noqa: PLC0415
    from dayrate.workload import DemandInput  # noqa: PLC0415

    names = [a.value for a in Api]
    if given["api"] not in names:
        raise InvalidInput(f"--api is {given['api']!r}; give {' or '.join(names)}.")
    keys = ("preset", "trace_model", "isl", "osl")
    demand = DemandInput(trace_path=given["trace"], **{k: given[k] for k in keys})
    timeout_s = given["request_timeout"]
    if timeout_s is not None and not timeout_s > 0:
        raise InvalidInput(f"--request-timeout is {timeout_s:g}; give seconds above 0.")
    limits = ("max_requests", "max_seconds", "warmup", "shared_prefix_tokens", "seed")
    return Ask(
        demand=demand,
        pace=_pace(given),
        manner=Manner(
            Api(given["api"]), given["served_model_name"], given["ignore_eos"]
        ),
        patience=Patience(given["max_retries"], request_timeout_s=timeout_s),
        **{k: given[k] for k in limits},
    )


def _pace(given: dict[str, Any]) -> "Pace":
    from dayrate.measure.endpoint.plan import (  # noqa: PLC0415 - slow
        ClosedLoop,
        OpenLoop,
        TraceTimes,
    )

    ways = ("concurrency", "request_rate", "speedup")
    chosen = [w for w in ways if given[w] is not None]
    if len(chosen) > 1:
        typed = " and ".join(f"--{w.replace('_', '-')}" for w in chosen)
        raise InvalidInput(f"{typed} each say when requests leave. Give one of them.")
    if given["burstiness"] is not None and given["request_rate"] is None:
        raise InvalidInput("--burstiness is of an open loop. Give --request-rate too.")
    if given["request_rate"] is not None:
        even = 1.0 if given["burstiness"] is None else given["burstiness"]
        return OpenLoop(given["request_rate"], even)
    if given["speedup"] is not None:
        return TraceTimes(given["speedup"])
    if given["concurrency"] is None and given["trace"] and _has_times(given):
        return TraceTimes()
    many = given["concurrency"]
    return ClosedLoop(_CONCURRENCY if many is None else many)


def _has_times(given: dict[str, Any]) -> bool:
    from dayrate.workload import read_trace  # noqa: PLC0415 - slow

    return read_trace(given["trace"], model=given["trace_model"]).has_arrivals


def _targets(given: dict[str, Any]) -> Any:
    from dayrate.measure.endpoint.result import Targets  # noqa: PLC0415 - slow

    limits_s = []
    for name in ("ttft", "tpot"):
        limit_ms = math.inf if given[name] is None else given[name]
        if not limit_ms > 0:
            raise InvalidInput(f"--{name} is {limit_ms:g}; give milliseconds above 0.")
        limits_s.append(limit_ms / 1e3)
    return Targets(*limits_s)


def _deployed(given: dict[str, Any]) -> "Deployed":
    from dayrate.measure.endpoint.tables import Deployed  # noqa: PLC0415 - slow

    embedded = given["local"] and not given["gguf"] and not given["model"]
    tensor = given["tensor_parallel_size"]
    return Deployed(
        model=_EMBEDDED_MODEL if embedded else given["model"] or "",
        accelerator=given["accelerator"] or "",
        accelerators=given["accelerators"] or tensor or 1,
        tensor=tensor,
        weights_dtype=given["quantization"] or (_EMBEDDED_FORMAT if embedded else ""),
        kv_dtype=given["kv_cache_dtype"],
        engine=given["engine"],
        engine_version=given["engine_version"] or _embedded_version(given),
    )


def _embedded_version(given: dict[str, Any]) -> str:
    """Name the library, since the server inside it does not know its version."""
    if not given["local"]:
        return ""
    from importlib import metadata  # noqa: PLC0415 - slow

    with contextlib.suppress(metadata.PackageNotFoundError):
        return f"xllamacpp {metadata.version('xllamacpp')}"
    return ""


def _writable(path: str | None) -> None:
    """Refuse before the load what could not be written after it."""
    if path is None:
        return
    folder = Path(path).parent
    if Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise InvalidInput(
            f"{path} cannot be written. Give a file in a folder that exists and may be "
            "written."
        )


def _save(result: "Result", deployed: "Deployed", given: dict[str, Any]) -> None:
    from dayrate.measure.endpoint.tables import (  # noqa: PLC0415 - slow
        requests_text,
        results_text,
    )

    if given["requests"] is not None:
        lines = given["requests"].endswith(".jsonl")
        write_file(given["requests"], requests_text(result, lines=lines))
    if given["results"] is not None:
        write_file(given["results"], results_text(result, deployed))


def _shown(result: "Result", comparison: "Comparison", given: dict[str, Any]) -> str:
    if given["as_json"]:
        from dayrate.report.json_ import to_json  # noqa: PLC0415 - slow

        return to_json(result.to_dict() | {"prediction": comparison.to_dict()})
    from dayrate.cli.measure.endpoint_page import render_load  # noqa: PLC0415
    from dayrate.report.canvas import Page  # noqa: PLC0415

    page = Page(asked_words(given["lang"]), page_width(), colour())
    return render_load(result, comparison, page)


def _nothing(result: "Result") -> str:
    faults = [r.message for r in result.run.records if r.message]
    most = max(set(faults), key=faults.count, default="no request came to an end")
    done = result.summary.done
    if not done:
        return f"No request was answered: {most}. Check the server's log."
    return f"The server is gone ({most}) after {done} answers. Check its log."
