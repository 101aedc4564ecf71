"""``dayrate simulate``: every request of a trace or a preset on the replicas."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dayrate.cli.arrivals import arrival_options, draw_from
from dayrate.cli.output import asked_words, colour, page_width, write
from dayrate.cli.quote import QuoteCommand, scenario_file
from dayrate.cli.timeline import check_timeline, write_timeline
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.compose.simulation import Ask, SimulatedDay

__all__ = ["EPILOG", "SimulateCommand", "simulate_command"]

_POLICIES = ["fcfs", "priority"]

EPILOG = (
    "Example: dayrate simulate --model meta-llama/Llama-3.1-8B-Instruct "
    "--accelerator h100-sxm-80gb --trace requests.csv --replicas auto"
)


class SimulateCommand(QuoteCommand):
    """Adds the flags of arrivals to those of the scenario."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own options, the scenario's, and those of arrivals."""
        return [*super().get_params(ctx), *arrival_options()]


def simulate_command(
    ctx: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(
            help="A scenario file, the name of a shipped one, a line that starts a "
            "server (`vllm serve …`) in quotes, or - to read YAML from stdin. Flags "
            "win over it.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="number", min=0, help="Of what is drawn."),
    ] = 0,
    duration: Annotated[
        float,
        typer.Option(
            "--duration",
            metavar="s",
            help="Seconds of arrivals, without a trace or a number of requests: at "
            "the busiest hour's rate, or from a day on by the hours of the day.",
        ),
    ] = 3600.0,
    day: Annotated[
        bool,
        typer.Option("--day", help="24 hours from 0:00; of a trace, only the lengths."),
    ] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare/--no-compare",
            help="Serve the same requests on a fixed fleet too, beside --autoscale.",
        ),
    ] = True,
    routing: Annotated[
        str,
        typer.Option(
            "--routing",
            metavar="round-robin|least-loaded|prefix-aware",
            help="Which replica takes a request.",
        ),
    ] = "round-robin",
    max_waiting: Annotated[
        int | None,
        typer.Option(
            "--max-waiting",
            metavar="number",
            min=0,
            help="Longest queue of a replica; who comes then is turned away.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="s",
            help="A request that has not started by then gives up.",
        ),
    ] = math.inf,
    chunked_prefill: Annotated[
        bool | None,
        typer.Option(
            "--enable-chunked-prefill/--no-enable-chunked-prefill",
            help="Compute long prompts in parts, beside decoding; else as the engine.",
            show_default=False,
        ),
    ] = None,
    scheduling_policy: Annotated[
        str,
        typer.Option(
            "--scheduling-policy",
            metavar="fcfs|priority",
            help="Serve in order of arrival, or by the trace's priority, lowest first.",
        ),
    ] = "fcfs",
    prefill_replicas: Annotated[
        int,
        typer.Option(
            "--prefill-replicas",
            metavar="number",
            min=0,
            help="So many more replicas compute the prompts; the others only decode.",
        ),
    ] = 0,
    kv_bandwidth: Annotated[
        float | None,
        typer.Option(
            "--kv-transfer-bandwidth",
            metavar="GB/s",
            help="Out of each accelerator of theirs; its server's network otherwise.",
            show_default=False,
        ),
    ] = None,
    kv_latency: Annotated[
        float | None,
        typer.Option(
            "--kv-transfer-latency",
            metavar="ms",
            min=0.0,
            help="Until the first byte arrives; the network's otherwise.",
            show_default=False,
        ),
    ] = None,
    simulator: Annotated[
        str,
        typer.Option(
            "--simulator",
            metavar="auto|python|numba",
            help="Who runs the loop; the results are the same.",
        ),
    ] = "auto",
    timeline: Annotated[
        str | None,
        typer.Option(
            "--timeline",
            metavar="FILE.csv|FILE.parquet",
            help="Write requests, replicas, cache blocks, energy and cost over time.",
            show_default=False,
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="en|zh",
            envvar="DAYRATE_LANG",
            help="Language of the text.",
            show_default="en",
        ),
    ] = None,
) -> None:
    """Serve the requests of a trace or a preset one by one: latencies, fleet, bill.

    --replicas is a number or auto, as many as a quote takes. Without a trace, arrivals
    are drawn at the rate of the busiest hour, or over a whole day with --day.
    """
    from dayrate.compose.simulation import Ask  # noqa: PLC0415 - slow
    from dayrate.compose.ways import Ways  # noqa: PLC0415
    from dayrate.serving.simulator.inputs import EngineKind, Routing  # noqa: PLC0415

    words = asked_words(lang)
    values = dict(ctx.obj)
    drawn = {p.name: values.pop(p.name) for p in arrival_options()}
    ask = Ask(
        replicas=_count(values.pop("replicas", None)),
        seed=seed,
        draw=draw_from(drawn, duration),
        day=day,
        routing=Routing(_one_of("--routing", routing, [r.value for r in Routing])),
        engine=EngineKind(
            _one_of("--simulator", simulator, [e.value for e in EngineKind])
        ),
        max_waiting=max_waiting,
        timeout_s=_positive("--timeout", timeout),
        chunked_prefill=chunked_prefill,
        ways=Ways(
            _one_of("--scheduling-policy", scheduling_policy, _POLICIES) == "priority",
            prefill_replicas,
            None if kv_bandwidth is None else kv_bandwidth * 1e9,
            None if kv_latency is None else kv_latency * 1e-3,
        ),
        compare=compare,
    )
    if timeline is not None:
        check_timeline(timeline)
    simulated = _simulated(scenario, values, ask)
    if timeline is not None:
        write_timeline(timeline, simulated)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(simulated.to_dict()))
        return
    from dayrate.report.canvas import Page  # noqa: PLC0415
    from dayrate.report.simulation import render_simulation  # noqa: PLC0415

    write(render_simulation(simulated, Page(words, page_width(), colour())))


def _simulated(
    scenario: str | None, values: dict[str, Any], ask: "Ask"
) -> "SimulatedDay":
    from dayrate.cli.options import given  # noqa: PLC0415 - slow
    from dayrate.compose.simulation import simulate_scenario  # noqa: PLC0415
    from dayrate.scenario.flags import nested, overlaid  # noqa: PLC0415
    from dayrate.scenario.schema import scenario_from  # noqa: PLC0415

    file = scenario_file(scenario)
    flags = given(values)
    if file is None and not flags:
        raise InvalidInput(
            "There is nothing to simulate. Give a scenario, or --model with --trace "
            "or --preset and --requests-per-day."
        )
    sections = overlaid(file.sections if file else {}, nested(flags))
    return simulate_scenario(scenario_from(sections), ask)


def _count(text: str | None) -> int | None:
    if text is None or text == "auto":
        return None
    if not text.lstrip("-").isdigit() or int(text) < 1:
        raise InvalidInput(f"--replicas is {text!r}; give a number from 1, or auto.")
    return int(text)


def _one_of(flag: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise InvalidInput(f"{flag} is {value!r}; give one of {', '.join(allowed)}.")
    return value


def _positive(flag: str, value: float) -> float:
    if not value > 0:
        raise InvalidInput(f"{flag} is {value:g}; give seconds above 0.")
    return value
