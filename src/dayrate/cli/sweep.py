"""``dayrate sweep``: another command at every point of a grid.

A point is a command line; its JSON is the row. So whatever a command can be asked can
be swept, and every row can be had again by its own command line.
"""

import hashlib
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dayrate import __version__
from dayrate.cli.output import (
    asked_words,
    captured,
    colour,
    page_width,
    write,
)
from dayrate.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from dayrate.cli.results import Results
    from dayrate.plan.sweep import Workers

__all__ = ["EPILOG", "SETTINGS", "sweep_command"]

EPILOG = (
    "Example: dayrate sweep simulate --model meta-llama/Llama-3.1-8B-Instruct "
    "--accelerator l40s --preset chat --request-rate 10 --over replicas=2,3,4 "
    "--over max-num-seqs=64:256:x2 --results sweep.jsonl"
)
#: What is not the sweep's is the command's, wherever it stands.
SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}

Row = Mapping[str, Any]
_OK, _NO_PLAN, _INPUT, _BUG = "ok", "no plan", "input", "bug"
_STATUS = {0: _OK, 3: _NO_PLAN, 2: _INPUT}
_INTERRUPTED = 130
#: What does not change an answer in JSON, and what no two points can share.
_OWN = frozenset({"as_json", "lang", "timeline", "help", "explain", "basis"})
_ALONE = ("--timeline", "--list-scenarios")


@dataclass(frozen=True, slots=True)
class Point:
    """One command line of a sweep."""

    key: str
    values: Mapping[str, str]
    seed: int | None
    arguments: tuple[str, ...]


def sweep_command(
    ctx: typer.Context,
    command: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND",
            help="What to run at each point, with its flags: simulate or quote.",
            show_default=False,
        ),
    ],
    *,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="name=values",
            help="A flag of the command and its values: replicas=2,4,8, seed=1:5, "
            "isl=500:2000:500 or max-num-seqs=64:512:x2. Several make a grid.",
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            "--results",
            metavar="FILE.jsonl|FILE.csv|FOLDER",
            help="Keep each row as soon as it is known.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Take rows that --results has; add the others."),
    ] = False,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="local|ray|dask",
            help="Who computes: processes here, or a cluster.",
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="text",
            help="Of a running cluster; without one, ray and dask start here.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="number",
            help="Points at once; as many as there are processors, unless given.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            metavar="names",
            help="Columns of the table, as in --json: summary.e2e.p99_s,...",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
    """Run a command at every point of a grid, on all processors or a cluster.

    Rows are the same whoever computes them. A point that has no answer is a row that
    says why. Points that differ in the deployment alone serve the same requests: the
    seed of each comes from --seed and what it asks of the workload.
    """
    from dayrate.cli.results import open_results  # noqa: PLC0415 - slow
    from dayrate.plan.sweep import Workers  # noqa: PLC0415

    words = asked_words(lang)
    points = _points(command, ctx.args, over or [], words.language)
    workers = Workers(backend, jobs, address)
    if resume and results is None:
        raise InvalidInput("--resume is about rows kept before; add --results.")
    store = None if results is None else open_results(results, resume=resume)
    rows, interrupted = _rows(points, workers, store)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json({"points": len(points), "rows": rows}))
    else:
        from dayrate.report.canvas import Page  # noqa: PLC0415
        from dayrate.report.sweep import render_sweep  # noqa: PLC0415

        page = Page(words, page_width(), colour())
        shown = None if show is None else [s.strip() for s in show.split(",")]
        write(render_sweep(rows, len(points), command, page, shown=shown))
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_exit_code([row["status"] for row in rows]))


def _exit_code(found: Sequence[str]) -> int:
    if _BUG in found:
        return 1
    if _OK in found:
        return 0
    return 3 if _NO_PLAN in found else 2


def _rows(
    points: Sequence[Point], workers: "Workers", store: "Results | None"
) -> tuple[list[Row], bool]:
    """Compute what is missing; rows are in the order of the points."""
    from dayrate.plan.sweep import run_points  # noqa: PLC0415

    known = {} if store is None else store.rows
    keys = {p.key for p in points}
    done = {k: row for k, row in known.items() if k in keys and row["status"] != _BUG}
    left = [p for p in points if p.key not in done]
    interrupted = False
    arriving = run_points(_answer, [p.arguments for p in left], workers)
    try:
        with _progress(len(points), len(done)) as advance:
            for place, answer in arriving:
                row = _row(left[place], answer)
                done[row["key"]] = row
                if store is not None:
                    store.add(row)
                advance()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        arriving.close()
        rows = [done[p.key] for p in points if p.key in done]
        if store is not None:
            store.finish(rows)
    return rows, interrupted


def _row(point: Point, answer: Mapping[str, Any]) -> Row:
    return {
        "key": point.key,
        "status": answer["status"],
        "point": dict(point.values),
        "seed": point.seed,
        "command": shlex.join(["dayrate", *point.arguments]),
        "reason": answer["reason"],
        "result": answer["result"],
    }


def _answer(arguments: Sequence[str]) -> dict[str, Any]:
    """Run one command line, here or in another process, and read its JSON."""
    from dayrate.cli.main import main  # noqa: PLC0415 - it imports this module

    with captured() as (result, talk):
        code = main([*arguments, "--json"])
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    status = _STATUS.get(code, _BUG)
    found = dict(_scalars(json.loads(result.getvalue()))) if status == _OK else {}
    reason = "" if status == _OK else _message(talk.getvalue(), arguments)
    return {"status": status, "reason": reason, "result": found}


def _message(talk: str, arguments: Sequence[str]) -> str:
    """Take an error as one line, without the word that calls it one."""
    language = arguments[arguments.index("--lang") + 1]
    called = asked_words(language)("Error: {message}").partition("{message}")[0]
    return " ".join(talk.removeprefix(called).split())


def _scalars(document: Mapping[str, Any], before: str = "") -> Iterator[Any]:
    """Yield what is one value, by its dotted name; lists are left out."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{before}{name}.")
        elif not isinstance(value, list):
            yield before + name, value


def _points(
    command: str, rest: Sequence[str], over: Sequence[str], language: str
) -> list[Point]:
    """Make each point's command line and parse it, so that mistakes show now."""
    from dayrate.plan.sweep import combinations, parse_axis  # noqa: PLC0415

    inner = _command(command)
    if not over:
        raise InvalidInput("There is nothing to sweep over. Add --over name=2,4,8.")
    if "-" in rest:
        raise InvalidInput("A sweep reads its scenario many times; give a file.")
    if alone := [a for a in rest if a.partition("=")[0] in _ALONE]:
        raise InvalidInput(f"{alone[0]} is not for many points; leave it out.")
    axes = [parse_axis(text) for text in over]
    parameters = {p.name: p for p in inner.get_params(typer.Context(inner))}
    flags = {axis.name: _parameter(axis.name, parameters) for axis in axes}
    base = [*rest, "--lang", language]
    digests: dict[str, str] = {}
    points = []
    for values in combinations(axes):
        more = [part for n, v in values.items() for part in _argument(flags[n], v)]
        points.append(_point(inner, command, [*base, *more], values, digests))
    return points


def _point(
    inner: Any,
    command: str,
    arguments: list[str],
    values: Mapping[str, str],
    digests: dict[str, str],
) -> Point:
    from dayrate.plan.sweep import content_key, content_seed  # noqa: PLC0415

    asked = {
        k: _content(v, digests)
        for k, v in inner.make_context(
            f"dayrate {command}", list(arguments)
        ).params.items()
        if k not in _OWN and v is not None
    }
    seed = None
    if "seed" in asked:
        seed = content_seed(int(asked["seed"]), _of_demand(asked))
        arguments = [*arguments, "--seed", str(seed)]
        asked["seed"] = seed
    key = content_key({"version": __version__, "command": command, "asked": asked})
    return Point(key, values, seed, (command, *arguments))


def _of_demand(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the requests depend on."""
    from dayrate.cli.arrivals import arrival_options  # noqa: PLC0415 - slow
    from dayrate.scenario.flags import FLAGS  # noqa: PLC0415

    names = {flag for flag, path in FLAGS.items() if path[0] == "workload"}
    names |= {p.name for p in arrival_options()} | {"duration", "scenario"}
    return {k: v for k, v in asked.items() if k in names}


def _content(value: Any, digests: dict[str, str]) -> Any:
    """Let a file stand for what is in it."""
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str) or len(value) > 4096:
        return value
    if value not in digests:
        path = Path(value)
        found = path.is_file()
        digests[value] = hashlib.sha256(path.read_bytes()).hexdigest() if found else ""
    return {"file": digests[value]} if digests[value] else value


def _command(name: str) -> Any:
    from dayrate.cli.main import app  # noqa: PLC0415 - it imports this module

    group: Any = typer.main.get_command(app)
    known = {n: c for n, c in group.commands.items() if n in {"quote", "simulate"}}
    if name not in known:
        close = did_you_mean(name, known)
        hint = f"Did you mean {close}?" if close else f"Give {' or '.join(known)}."
        raise InvalidInput(f"{name!r} is no command to sweep. {hint}")
    return known[name]


def _parameter(name: str, parameters: Mapping[str, Any]) -> Any:
    known = {}
    for parameter in parameters.values():
        if parameter.name not in _OWN:
            known[parameter.name] = parameter
            known |= {
                o.lstrip("-").replace("-", "_"): parameter for o in parameter.opts
            }
    if name not in known:
        close = did_you_mean(name, known)
        hint = (
            f"Did you mean {close}?" if close else "--help of the command lists them."
        )
        raise InvalidInput(f"{name!r} is no flag to sweep over. {hint}")
    return known[name]


def _argument(parameter: Any, value: str) -> list[str]:
    """Spell one value as the command line wants it."""
    if parameter.param_type_name == "argument":
        return [value]
    flag = max(parameter.opts, key=len)
    if not getattr(parameter, "is_flag", False):
        return [flag, value]
    if value.lower() not in {"true", "false"}:
        raise InvalidInput(f"{flag} is on or off, not {value!r}; give true or false.")
    if value.lower() == "true":
        return [flag]
    return list(parameter.secondary_opts[:1])


@contextmanager
def _progress(total: int, done: int) -> Iterator[Any]:
    """Show a bar on a terminal; elsewhere say nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow
    from rich.progress import BarColumn, MofNCompleteColumn, Progress  # noqa: PLC0415

    columns = BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("points", total=total, completed=done)
        yield lambda: bar.advance(task)
