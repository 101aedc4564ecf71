"""The reference of the command line, written from the commands themselves."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from dayrate.cli.main import app

__all__ = ["markdown", "parameters"]


def markdown() -> str:
    """Write each command, its usage, its flags by section and its example.

    >>> "--requests-per-day" in markdown()
    True
    """
    return "\n".join(line for name in _commands() for line in _command(name))


def parameters() -> Iterator[tuple[str, Any]]:
    """Yield every command's name with each of its parameters."""
    for name, command in _commands().items():
        context = typer.Context(command, info_name=name)
        for parameter in command.get_params(context):
            yield name, parameter


def _commands() -> dict[str, Any]:
    return dict(_below("", typer.main.get_command(app)))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from _below(f"{name} {child}".strip(), below)


def _command(name: str) -> Iterator[str]:
    command = _commands()[name]
    yield f"## `{f'dayrate {name}'.strip()}`"
    yield inspect.cleandoc(command.help or "")
    panel = ""
    for _name, parameter in filter(lambda p: p[0] == name, parameters()):
        section = getattr(parameter, "rich_help_panel", None) or "Options"
        if section != panel:
            yield from ("", f"### {section}", "") if name else ("",)
            yield from ("| flag | value | meaning |", "| --- | --- | --- |")
            panel = section
        yield _row(parameter)
    if command.epilog:
        what, _colon, line = command.epilog.partition(": ")
        yield from ("", f"{what}:", "```console", f"$ {line}", "```")
    yield ""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{o}`" for o in parameter.opts)
    switch = getattr(parameter, "is_flag", False)
    value = "" if switch else (parameter.metavar or "").replace("|", "\\|")
    help_ = parameter.help or ""
    if getattr(parameter, "envvar", None):
        help_ += f" Also `{parameter.envvar}`."
    return f"| {names} | {value} | {help_} |"
