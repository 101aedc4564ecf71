"""The flags of ``dayrate measure endpoint``, by what they are about."""

from typing import Annotated, Any

import typer

_SERVER, _LOCAL, _LOAD = "Server", "Embedded server", "Load"
_BUDGET, _TARGETS, _SAVED = "Budget", "Latency targets", "What is written"
_PREDICTED = "What is served, for the prediction"


def _option(flag: str, panel: str, metavar: str, text: str, **more: Any) -> Any:
    return typer.Option(
        *flag.split(),
        metavar=metavar,
        help=text,
        rich_help_panel=panel,
        **({"show_default": False} | more),
    )


def _switch(flag: str, panel: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=panel)


Url = Annotated[
    str | None,
    typer.Argument(
        help="Where the server is, as in http://127.0.0.1:8000; or --local.",
        show_default=False,
    ),
]
Api = Annotated[
    str,
    _option(
        "--api", _SERVER, "completions|chat", "Which call is made.", show_default=True
    ),
]
ServedModelName = Annotated[
    str | None,
    _option(
        "--served-model-name",
        _SERVER,
        "name",
        "The model's name on the server; the first it lists unless given.",
    ),
]
ApiKeyEnv = Annotated[
    str | None,
    _option(
        "--api-key-env", _SERVER, "NAME", "Environment variable that holds the API key."
    ),
]
AllowRemote = Annotated[
    bool,
    _switch(
        "--allow-remote",
        _SERVER,
        "Load a server on another machine, which must be yours to load.",
    ),
]
IgnoreEos = Annotated[
    bool,
    _switch(
        "--ignore-eos/--no-ignore-eos",
        _SERVER,
        "Ask for answers of the full length, where the server can.",
    ),
]

Local = Annotated[
    bool,
    _switch("--local", _LOCAL, "Start the embedded server, load it, and stop it."),
]
LocalModel = Annotated[
    str | None,
    _option(
        "--gguf", _LOCAL, "FILE", "What it serves; SmolLM2-135M-Instruct unless given."
    ),
]
Slots = Annotated[
    int,
    _option(
        "--slots", _LOCAL, "number", "Sequences it decodes together.", show_default=True
    ),
]
MaxModelLen = Annotated[
    int,
    _option(
        "--max-model-len",
        _LOCAL,
        "token",
        "Longest prompt and answer of a request.",
        show_default=True,
    ),
]
Threads = Annotated[
    int | None,
    _option(
        "--threads",
        _LOCAL,
        "number",
        "Its threads; as many as cores are idle unless given.",
    ),
]
ServerLog = Annotated[
    str | None,
    _option("--server-log", _LOCAL, "FILE", "Keep its log there."),
]

Preset = Annotated[
    str | None,
    _option("--preset", _LOAD, "name", "A use whose lengths are drawn, as in chat."),
]
Trace = Annotated[
    str | None,
    _option("--trace", _LOAD, "FILE", "Lengths of recorded requests, in their order."),
]
TraceModel = Annotated[
    str | None,
    _option("--trace-model", _LOAD, "name", "Only the trace's requests to this model."),
]
Isl = Annotated[
    float | None,
    _option("--isl", _LOAD, "token", "Mean input length; scales a preset or trace."),
]
Osl = Annotated[
    float | None,
    _option("--osl", _LOAD, "token", "Mean output length; scales a preset or trace."),
]
Concurrency = Annotated[
    int | None,
    _option(
        "--concurrency",
        _LOAD,
        "number",
        "Closed loop: so many requests in flight. The default, with 4, unless the "
        "trace has arrivals.",
    ),
]
RequestRate = Annotated[
    float | None,
    _option(
        "--request-rate",
        _LOAD,
        "request/s",
        "Open loop: requests leave at this rate; inf is all at once.",
    ),
]
Burstiness = Annotated[
    float | None,
    _option(
        "--burstiness",
        _LOAD,
        "number",
        "Of the open loop: 1 is a Poisson process, below 1 in bursts, above evener.",
    ),
]
Speedup = Annotated[
    float | None,
    _option(
        "--speedup",
        _LOAD,
        "number",
        "Send a trace's requests when it says, so many times as fast.",
    ),
]
SharedPrefix = Annotated[
    int,
    _option(
        "--shared-prefix-tokens",
        _LOAD,
        "token",
        "What all prompts begin with, for the server's prefix cache.",
        min=0,
    ),
]
Seed = Annotated[
    int,
    _option(
        "--seed", _LOAD, "number", "Of lengths and arrivals, not of the words.", min=0
    ),
]

MaxRequests = Annotated[
    int,
    _option(
        "--max-requests",
        _BUDGET,
        "number",
        "Requests in all; probes, warm-up and retries count.",
        show_default=True,
    ),
]
MaxSeconds = Annotated[
    float,
    _option(
        "--max-seconds",
        _BUDGET,
        "s",
        "Time in all, from the first contact.",
        show_default=True,
    ),
]
Warmup = Annotated[
    int,
    _option(
        "--warmup",
        _BUDGET,
        "number",
        "Requests before those that count.",
        show_default=True,
        min=0,
    ),
]
MaxRetries = Annotated[
    int,
    _option(
        "--max-retries",
        _BUDGET,
        "number",
        "Further attempts of a request that found no one or was put off.",
        show_default=True,
        min=0,
    ),
]
RequestTimeout = Annotated[
    float | None,
    _option("--request-timeout", _BUDGET, "s", "Give up an attempt after that."),
]

Ttft = Annotated[
    float | None,
    _option("--ttft", _TARGETS, "ms", "Latest first token of a good request."),
]
Tpot = Annotated[
    float | None,
    _option("--tpot", _TARGETS, "ms", "Longest time per output token of a good one."),
]

Model = Annotated[
    str | None,
    _option("--model", _PREDICTED, "name", "The model, by a name of the catalogue."),
]
Accelerator = Annotated[
    str | None,
    _option("--accelerator", _PREDICTED, "name", "What it runs on, likewise."),
]
Accelerators = Annotated[
    int | None,
    _option(
        "--accelerators", _PREDICTED, "number", "How many; one replica unless given."
    ),
]
TensorParallel = Annotated[
    int | None,
    _option(
        "--tensor-parallel-size -tp",
        _PREDICTED,
        "number",
        "Accelerators that share each layer.",
    ),
]
Quantization = Annotated[
    str,
    _option(
        "--quantization -q",
        _PREDICTED,
        "name",
        "Format of the weights, as in fp8; the checkpoint's unless given.",
    ),
]
KvCacheDtype = Annotated[
    str,
    _option("--kv-cache-dtype", _PREDICTED, "name", "Format of the cache, likewise."),
]
Engine = Annotated[
    str,
    _option(
        "--engine", _PREDICTED, "name", "As in vLLM; what the server says unless given."
    ),
]
EngineVersion = Annotated[
    str,
    _option("--engine-version", _PREDICTED, "text", "Likewise."),
]

Results = Annotated[
    str | None,
    _option(
        "--results",
        _SAVED,
        "FILE.csv",
        "Write the means as a table that `dayrate backtest` reads.",
    ),
]
Requests = Annotated[
    str | None,
    _option(
        "--requests",
        _SAVED,
        "FILE",
        "Write every request: JSON lines if it ends in .jsonl, else CSV.",
    ),
]
