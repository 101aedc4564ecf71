"""Flags that several commands of ``dayrate measure`` share."""

from typing import Annotated

import typer

__all__ = [
    "Accelerator",
    "AllThreads",
    "AsJson",
    "Backend",
    "Currency",
    "Device",
    "DtypeName",
    "Electricity",
    "Engine",
    "Fx",
    "Lang",
    "MachinePrice",
    "MaxModelLen",
    "MaxNewTokens",
    "Model",
    "Rounds",
    "Seed",
    "Temperature",
    "Threads",
    "TopK",
    "TopP",
]

_SAMPLING, _MACHINE, _MONEY = "How tokens are chosen", "How it runs", "Money"

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="name",
        help="A folder with safetensors, a GGUF file, a name on the hub, or the "
        "embedded smollm2-135m-instruct.",
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="transformers|llamacpp",
        help="What runs it; llamacpp for GGUF files, else transformers.",
        rich_help_panel=_MACHINE,
        show_default=False,
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        "--max-new-tokens",
        metavar="token",
        help="Most tokens to generate, without the prompt; unless given 128, in a "
        "chat 512.",
        show_default=False,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="number",
        help="Draw tokens; above 1 more freely. The likeliest is taken without it.",
        rich_help_panel=_SAMPLING,
        show_default=False,
    ),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        metavar="number",
        help="Draw from the likeliest tokens that hold this probability.",
        rich_help_panel=_SAMPLING,
        show_default=False,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(
        "--top-k",
        metavar="number",
        help="Draw from this many of the likeliest tokens.",
        rich_help_panel=_SAMPLING,
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="number",
        min=0,
        max=2**31 - 1,
        help="Of what is drawn.",
        rich_help_panel=_SAMPLING,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="number",
        help="Processor threads; as many as cores are idle unless given.",
        rich_help_panel=_MACHINE,
        show_default=False,
    ),
]
AllThreads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="number",
        help="Threads that compute; all that this process may use unless given.",
        show_default=False,
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="llama.cpp|transformers",
        help="Which engine runs the model.",
    ),
]
Rounds = Annotated[
    int,
    typer.Option("--rounds", metavar="number", help="Times that each point is timed."),
]
DtypeName = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="auto|float32|bfloat16|float16",
        help="Number format with transformers; auto is that of the files.",
        rich_help_panel=_MACHINE,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where transformers runs; auto is a GPU if there is one.",
        rich_help_panel=_MACHINE,
    ),
]
MaxModelLen = Annotated[
    int | None,
    typer.Option(
        "--max-model-len",
        metavar="token",
        help="Longest prompt with its answer; with llamacpp 8192 at most unless given.",
        rich_help_panel=_MACHINE,
        show_default=False,
    ),
]
Accelerator = Annotated[
    str | None,
    typer.Option(
        "--accelerator",
        metavar="name",
        help="Whose peak the MFU is of; this-machine where it was calibrated.",
        rich_help_panel=_MACHINE,
        show_default=False,
    ),
]
Electricity = Annotated[
    str | None,
    typer.Option(
        "--electricity",
        metavar="USD/kWh",
        help="Price of electricity, as in '0.65 CNY/kWh'.",
        rich_help_panel=_MONEY,
        show_default=False,
    ),
]
MachinePrice = Annotated[
    str | None,
    typer.Option(
        "--machine-price",
        metavar="USD/h",
        help="Price of this machine, as in '0.10 USD/h'.",
        rich_help_panel=_MONEY,
        show_default=False,
    ),
]
Currency = Annotated[
    str,
    typer.Option(
        "--currency",
        metavar="name",
        help="Show money in it, as in CNY.",
        rich_help_panel=_MONEY,
    ),
]
Fx = Annotated[
    float | None,
    typer.Option(
        "--fx",
        metavar="number",
        help="Units of --currency per US dollar; the catalogue's rate unless given.",
        rich_help_panel=_MONEY,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[
    str | None,
    typer.Option(
        metavar="en|zh",
        envvar="DAYRATE_LANG",
        help="Language of the text.",
        show_default="en",
    ),
]
