"""The command line: the app, and what each kind of failure becomes.

Exit codes: 0 done, 1 a bug of ours, 2 the input, 3 no plan meets the request.
"""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from dayrate import __version__
from dayrate.cli.anatomy import EPILOG as ANATOMY_EPILOG
from dayrate.cli.anatomy import AnatomyCommand, anatomy_command
from dayrate.cli.backtest import EPILOG as BACKTEST_EPILOG
from dayrate.cli.backtest import backtest_command
from dayrate.cli.catalog import EPILOG as CATALOG_EPILOG
from dayrate.cli.catalog import catalog_command
from dayrate.cli.measure import app as measure_app
from dayrate.cli.output import PipeClosed, say, write
from dayrate.cli.quote import EPILOG as QUOTE_EPILOG
from dayrate.cli.quote import QuoteCommand, quote_command
from dayrate.cli.simulate import EPILOG as SIMULATE_EPILOG
from dayrate.cli.simulate import SimulateCommand, simulate_command
from dayrate.cli.sweep import EPILOG as SWEEP_EPILOG
from dayrate.cli.sweep import SETTINGS as SWEEP_SETTINGS
from dayrate.cli.sweep import sweep_command
from dayrate.errors import DayrateError, InvalidInput, NoPlan, did_you_mean
from dayrate.report.i18n import language, words

__all__ = ["app", "main", "run"]

BUG, INPUT, NO_PLAN, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 130, 141

#: The library's error for a wrong command line, wherever its version keeps it.
_UsageError = typer.BadParameter.__mro__[1]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("quote", cls=QuoteCommand, epilog=QUOTE_EPILOG)(quote_command)
app.command("simulate", cls=SimulateCommand, epilog=SIMULATE_EPILOG)(simulate_command)
app.command("anatomy", cls=AnatomyCommand, epilog=ANATOMY_EPILOG)(anatomy_command)
app.command("sweep", epilog=SWEEP_EPILOG, context_settings=SWEEP_SETTINGS)(
    sweep_command
)
app.command("catalog", epilog=CATALOG_EPILOG)(catalog_command)
app.command("backtest", epilog=BACKTEST_EPILOG)(backtest_command)
app.add_typer(measure_app, name="measure")


@app.callback(
    invoke_without_command=True,
    help="What a large language model costs per day, per request and per token.",
)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            envvar="DAYRATE_DEBUG",
            help="Show the traceback of a bug; anywhere on the line.",
        ),
    ] = False,
) -> None:
    """Answer what needs no command."""
    if version:
        write(f"dayrate {__version__}")
    elif ctx.invoked_subcommand is None:
        write(ctx.get_help())


def run() -> None:
    """Entry point of the ``dayrate`` command."""
    gc.set_threshold(100_000)  # modules and data are no garbage: a tenth of the time
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never a traceback by itself."""
    debug = "--debug" in arguments or bool(os.environ.get("DAYRATE_DEBUG"))
    rest = [a for a in arguments if a != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        _tolerate(stream)
    try:
        status = typer.main.get_command(app).main(
            rest, prog_name="dayrate", standalone_mode=False
        )
    except PipeClosed:
        _close_stdout()
        return PIPE_CLOSED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        return _failed(error, rest, debug=debug)
    return status if isinstance(status, int) else 0


def _failed(error: Exception, arguments: Sequence[str], *, debug: bool) -> int:
    _ = words(_language(arguments))
    if isinstance(error, DayrateError):
        say(_("Error: {message}").format(message=error))
        return NO_PLAN if isinstance(error, NoPlan) else INPUT
    if isinstance(error, _UsageError):
        say(_("Error: {message}").format(message=_usage(error)))
        return INPUT
    if debug:
        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"
    say(_("This is a bug in dayrate, not in your input: {what}").format(what=what))
    if not debug:
        say(_("Run it again with --debug for the details to report."))
    return BUG


def _usage(error: Exception) -> str:
    """One sentence for a command line that cannot be read."""
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "dayrate")
    helped = f"`{path} --help` lists what is allowed."
    name = getattr(error, "option_name", "")
    if name and type(error).__name__ == "NoSuchOption" and context is not None:
        known = [o for p in context.command.get_params(context) for o in p.opts]
        close = did_you_mean(name, known)
        hint = f"Did you mean {close}?" if close else helped
        return f"There is no option {name}. {hint}"
    message = getattr(error, "format_message", lambda: str(error))().strip()
    return f"{message.rstrip('.?')}{'?' if message.endswith('?') else '.'} {helped}"


def _language(arguments: Sequence[str]) -> str:
    """Return the language of an error, when the arguments may be what is wrong."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    asked = [b for a, b in pairs if a == "--lang"]
    asked += [a.removeprefix("--lang=") for a in arguments if a.startswith("--lang=")]
    try:
        return language(asked[-1] if asked else None)
    except InvalidInput:
        return "en"


def _tolerate(stream: object) -> None:
    """Let a terminal that cannot show a character show a question mark."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def _close_stdout() -> None:
    """Point stdout away, so that the interpreter's last flush stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
