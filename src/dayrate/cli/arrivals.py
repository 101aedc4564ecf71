"""The flags of ``dayrate simulate`` that say how requests are drawn or resampled."""

import functools
import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dayrate.errors import InvalidInput

__all__ = ["arrival_options", "draw_from"]

_PANEL = "Arrivals"


def _arrivals_command(
    *,
    arrivals: Annotated[
        str | None,
        typer.Option(
            metavar="poisson|gamma|weibull|mmpp",
            help="Draw arrivals; of a trace its own, else poisson.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    request_rate: Annotated[
        float | None,
        typer.Option(
            metavar="1/s",
            help="Mean requests per second; inf: all at once. As in vllm bench serve.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    num_prompts: Annotated[
        int | None,
        typer.Option(
            "--num-prompts",
            "--requests",
            metavar="number",
            help="How many requests; a trace is repeated with fresh arrivals.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    burstiness: Annotated[
        float | None,
        typer.Option(
            metavar="number",
            help="Shape of gamma gaps, as in vllm bench serve: below 1 is burstier "
            "than Poisson.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    burstiness_cv: Annotated[
        float | None,
        typer.Option(
            metavar="number",
            help="Standard deviation over mean of the gaps, of gamma and weibull: "
            "above 1 is burstier than Poisson.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    burst_ratio: Annotated[
        float | None,
        typer.Option(
            metavar="number",
            help="mmpp: rate in a burst over the rate between; 5 unless given.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    burst_dwell: Annotated[
        float | None,
        typer.Option(
            metavar="s",
            help="mmpp: mean length of a burst; 30 unless given.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    calm_dwell: Annotated[
        float | None,
        typer.Option(
            metavar="s",
            help="mmpp: mean time between bursts; 300 unless given.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    time_warp: Annotated[
        float,
        typer.Option(
            metavar="number",
            help="How many times as fast time runs: 2 doubles the rate.",
            rich_help_panel=_PANEL,
        ),
    ] = 1.0,
    thin: Annotated[
        float,
        typer.Option(
            metavar="share",
            help="Share of the requests, or of whole sessions, to keep.",
            rich_help_panel=_PANEL,
        ),
    ] = 1.0,
    session_turns: Annotated[
        float | None,
        typer.Option(
            metavar="number",
            help="Draw sessions of so many turns on average; each prompt holds the "
            "turns before.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    think_time: Annotated[
        float | None,
        typer.Option(
            metavar="s",
            help="Mean time from a turn of a session to the next; 60 unless given.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    closed_loop: Annotated[
        bool,
        typer.Option(
            "--closed-loop",
            help="The next turn of a session comes think time after the answer has "
            "ended, on the same replica.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="included|added",
            help="Prompts of a trace with session ids hold the turns before, or "
            "these are to be added.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> None:
    """Carry the options."""


@functools.cache
def arrival_options() -> tuple[Any, ...]:
    """Build the options, as the command line library wants them."""
    app = typer.Typer(add_completion=False)
    app.command(add_help_option=False)(_arrivals_command)
    return tuple(typer.main.get_command(app).params)


def draw_from(values: Mapping[str, Any], duration_s: float) -> Any:
    """Read the flags into a `Draw`."""
    from dayrate.workload.draw import Draw  # noqa: PLC0415 - slow
    from dayrate.workload.sessions import Dialogue, History  # noqa: PLC0415

    history, turns = values["history"], values["session_turns"]
    if turns is None and values["think_time"] is not None:
        raise InvalidInput("--think-time is between turns; add --session-turns.")
    if turns is None and values["closed_loop"]:
        raise InvalidInput("--closed-loop is about turns; add --session-turns.")
    if history is not None:
        history = _one_of(History, "--history", history)
    dialogue = None
    if turns is not None:
        think = values["think_time"]
        think = {} if think is None else {"think_s": think}
        dialogue = Dialogue(turns, closed=values["closed_loop"], **think)
    return Draw(
        process=_process(values),
        requests_per_s=values["request_rate"],
        requests=values["num_prompts"],
        duration_s=duration_s,
        time_warp=values["time_warp"],
        keep_frac=values["thin"],
        dialogue=dialogue,
        history=history,
    )


def _process(values: Mapping[str, Any]) -> Any:
    from dayrate.workload.arrivals import ArrivalProcess, Process  # noqa: PLC0415

    shape, cv = values["burstiness"], values["burstiness_cv"]
    bursts = {
        "burst_ratio": values["burst_ratio"],
        "burst_s": values["burst_dwell"],
        "calm_s": values["calm_dwell"],
    }
    bursts = {k: v for k, v in bursts.items() if v is not None}
    name = values["arrivals"]
    if name is None and shape is None and cv is None:
        if bursts:
            raise InvalidInput("Bursts are of --arrivals mmpp; add it.")
        return None
    kind = Process.GAMMA if name is None else _one_of(Process, "--arrivals", name)
    if bursts and kind is not Process.MMPP:
        raise InvalidInput(f"Bursts are of --arrivals mmpp, and it is {kind.value}.")
    if shape is not None and cv is not None:
        raise InvalidInput(
            "--burstiness and --burstiness-cv answer the same question. Give one."
        )
    if shape is not None:
        if kind is not Process.GAMMA:
            raise InvalidInput(
                f"--burstiness is the shape of gamma gaps, and --arrivals is "
                f"{kind.value}. Give --burstiness-cv, or --arrivals gamma."
            )
        if not 0 < shape < math.inf:
            raise InvalidInput(f"--burstiness is {shape:g}; give a number above 0.")
        cv = shape**-0.5
    if cv is None:
        return ArrivalProcess(kind, **bursts)
    if kind not in {Process.GAMMA, Process.WEIBULL}:
        raise InvalidInput(
            f"--burstiness-cv is of gamma and weibull, and --arrivals is {kind.value}."
        )
    return ArrivalProcess(kind, cv=cv)


def _one_of(kind: Any, flag: str, value: str) -> Any:
    allowed = [member.value for member in kind]
    if value not in allowed:
        raise InvalidInput(f"{flag} is {value!r}; give one of {', '.join(allowed)}.")
    return kind(value)
