"""``dayrate quote``: the daily bill of a scenario."""

import enum
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dayrate.cli.output import asked_words, colour, page_width, say, write
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.scenario.answer import Quote
    from dayrate.scenario.read import ScenarioFile

__all__ = ["EPILOG", "QuoteCommand", "quote_command", "scenario_file"]

EPILOG = (
    "Example: dayrate quote --model meta-llama/Llama-3.1-70B-Instruct "
    "--accelerator h100-sxm-80gb --isl 1155 --osl 211 --requests-per-day 500000"
)


class Basis(enum.Enum):
    """What the amounts include: idle capacity, or only the share that did work."""

    ALLOCATED = "allocated"
    USED = "used"


class QuoteCommand(TyperCommand):
    """Adds the flags of the scenario, which take a while to load, when it is called."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own options, then one for each key of a scenario."""
        from dayrate.cli.options import scenario_options  # noqa: PLC0415 - slow

        return [*super().get_params(ctx), *scenario_options()]

    def invoke(self, ctx: Any) -> Any:
        """Hand the scenario's flags over apart from the command's own."""
        own = {p.name for p in self.params}
        ctx.obj = {k: ctx.params.pop(k) for k in list(ctx.params) if k not in own}
        return super().invoke(ctx)


def quote_command(
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, working included.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show the formula, numbers and source of every figure."
        ),
    ] = False,
    basis: Annotated[
        Basis,
        typer.Option(
            metavar="allocated|used",
            help="Include idle capacity, or only what did work (text; "
            "JSON holds used_frac).",
        ),
    ] = Basis.ALLOCATED,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Serve the day request by request, and follow --autoscale; else "
            "the closed form.",
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="number", min=0, help="Of the requests simulated."
        ),
    ] = 0,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="en|zh",
            envvar="DAYRATE_LANG",
            help="Language of the text.",
            show_default="en",
        ),
    ] = None,
    list_scenarios: Annotated[
        bool, typer.Option("--list-scenarios", help="List the shipped scenarios.")
    ] = False,
) -> None:
    """Price a day of serving a model: per day, per request and per token.

    What is not given is chosen, and listed as an assumption. Quantities are plain
    numbers in the unit shown, or text with a unit: --ttft "2 s", --electricity
    "0.65 CNY/kWh".
    """
    if list_scenarios:
        from dayrate.cli.catalog import show_catalog  # noqa: PLC0415

        show_catalog("scenarios", None, as_json=as_json, lang=lang)
        return
    language = asked_words(lang)
    file = scenario_file(scenario)
    answer = _answer(file, ctx.obj, seed if simulate else None)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(answer.to_dict()))
        return
    from dayrate.report.canvas import Page  # noqa: PLC0415 - not needed for JSON
    from dayrate.report.text import render_text  # noqa: PLC0415

    page = Page(language, page_width(), colour())
    asked_more = any(value is not None for value in ctx.obj.values())
    titles = file.title if file and not asked_more else {}  # else it may be untrue
    title = titles.get(language.language) or titles.get("en", "")
    used = basis is Basis.USED
    write(render_text(answer, page, used=used, title=title))
    if explain:
        from dayrate.report.explain import render_explanation  # noqa: PLC0415

        write("\n" + render_explanation(answer, page))


def scenario_file(name: str | None) -> "ScenarioFile | None":
    """Read the scenario: stdin, a file, one that ships, or a server's command."""
    from dayrate.scenario.launch import from_launch, is_launch  # noqa: PLC0415
    from dayrate.scenario.read import parse_scenario, read_scenario  # noqa: PLC0415

    if name is not None and is_launch(name):
        file, ignored = from_launch(name)
        if ignored:
            say(f"Not used from the pasted line: {', '.join(ignored)}.")
        return file
    if name == "-":
        return parse_scenario(sys.stdin.read(), name="stdin")
    return read_scenario(name) if name is not None else None


def _answer(
    file: "ScenarioFile | None", values: dict[str, Any], seed: int | None
) -> "Quote":
    from dayrate.cli.options import given  # noqa: PLC0415 - slow
    from dayrate.quoting import quote  # noqa: PLC0415 - slow

    flags = given(values)
    if file is None and not flags:
        raise InvalidInput(
            "There is nothing to price. Give a scenario (`dayrate quote "
            "--list-scenarios` lists those shipped) or at least --model."
        )
    if seed is None:
        return quote(file, **flags)
    return quote(file, simulate=True, seed=seed, **flags)
