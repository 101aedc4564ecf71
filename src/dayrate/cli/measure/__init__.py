"""``dayrate measure``: run a real model or endpoint here, and hold it to the model."""

import typer

from dayrate.cli.measure.calibrate import EPILOG as CALIBRATE_EPILOG
from dayrate.cli.measure.calibrate import calibrate_command
from dayrate.cli.measure.chat import EPILOG as CHAT_EPILOG
from dayrate.cli.measure.chat import chat_command
from dayrate.cli.measure.check import EPILOG as CHECK_EPILOG
from dayrate.cli.measure.check import check_command
from dayrate.cli.measure.endpoint import EPILOG as ENDPOINT_EPILOG
from dayrate.cli.measure.endpoint import endpoint_command
from dayrate.cli.measure.generate import EPILOG as GENERATE_EPILOG
from dayrate.cli.measure.generate import generate_command
from dayrate.cli.measure.machine import EPILOG as MACHINE_EPILOG
from dayrate.cli.measure.machine import machine_command
from dayrate.cli.measure.train import EPILOG as TRAIN_EPILOG
from dayrate.cli.measure.train import train_command
from dayrate.cli.output import write

__all__ = ["app"]

app = typer.Typer(context_settings={"help_option_names": ["--help", "-h"]})


@app.callback(
    invoke_without_command=True,
    help="Run a real model here, measure it, and compare it with the prediction.",
)
def measure(ctx: typer.Context) -> None:
    """Answer what needs no command."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


app.command("generate", epilog=GENERATE_EPILOG)(generate_command)
app.command("chat", epilog=CHAT_EPILOG)(chat_command)
app.command("endpoint", epilog=ENDPOINT_EPILOG)(endpoint_command)
app.command("train", epilog=TRAIN_EPILOG)(train_command)
app.command("machine", epilog=MACHINE_EPILOG)(machine_command)
app.command("calibrate", epilog=CALIBRATE_EPILOG)(calibrate_command)
app.command("check", epilog=CHECK_EPILOG)(check_command)
