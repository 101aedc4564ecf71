"""The flags of ``dayrate quote``, made from the scenario's schema.

A flag is a key of a scenario, so nothing is listed twice: names come from ``FLAGS``,
help, units and choices from the fields. Values stay text; the schema reads them.
"""

import enum
import functools
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from dayrate.scenario.fields import In, Per
from dayrate.scenario.flags import FLAGS
from dayrate.scenario.schema import Scenario

__all__ = ["given", "scenario_options"]

#: Short spellings, as vLLM has them.
_SHORT = {
    "tensor_parallel_size": "-tp",
    "pipeline_parallel_size": "-pp",
    "data_parallel_size": "-dp",
    "enable_expert_parallel": "-ep",
    "quantization": "-q",
}
_PANELS = {
    "model": "Model",
    "workload": "Workload",
    "slo": "Latency targets",
    "deployment": "Deployment",
    "autoscale": "Autoscaling, in simulated days",
    "server": "A server priced from its parts",
    "economics": "Money and energy",
}
_MANY_CHOICES = 6  # more are left to the help text


@functools.cache
def scenario_options() -> tuple[Any, ...]:
    """Build one option per flag, as the command line library wants them."""

    def ask(**_flags: object) -> None:
        """Carry the options."""

    options = [_parameter(flag, path) for flag, path in FLAGS.items()]
    vars(ask)["__signature__"] = inspect.Signature(options)
    ask.__annotations__ = {p.name: p.annotation for p in options}
    app = typer.Typer(add_completion=False)
    app.command(add_help_option=False)(ask)
    return tuple(typer.main.get_command(app).params)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the flags that were given; a list of hours is split.

    >>> given({"isl": "1155", "osl": None, "day_shape": "0.5,0.5"})
    {'isl': '1155', 'day_shape': ['0.5', '0.5']}
    """
    flags = {k: v for k, v in values.items() if v is not None}
    for name in ("day_shape", "replicas_by_hour"):
        if "," in flags.get(name, ""):
            flags[name] = flags[name].split(",")
    return flags


def _parameter(flag: str, path: tuple[str, ...]) -> inspect.Parameter:
    info = _field(path)
    long = "--" + flag.replace("_", "-")
    hints = list(_hints(info))
    switch = bool in hints
    option = typer.Option(
        long,
        *([_SHORT[flag]] if flag in _SHORT else []),
        help=info.description,
        metavar=None if switch else _metavar(hints),
        rich_help_panel=_PANELS[path[-2]],
        show_default=False,
    )
    kind: Any = bool if switch else str
    return inspect.Parameter(
        flag,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _field(path: tuple[str, ...]) -> FieldInfo:
    section: Any = Scenario
    for part in path[:-1]:
        hints = _hints(section.model_fields[part])
        section = next(h for h in hints if hasattr(h, "model_fields"))
    return typing.cast("FieldInfo", section.model_fields[path[-1]])


def _hints(info: FieldInfo) -> Iterator[Any]:
    """Yield the types and annotations of a field, unions and `Annotated` undone."""
    yield from info.metadata
    yield from _parts(info.annotation)


def _parts(hint: Any) -> Iterator[Any]:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        yield from hint.__metadata__
        yield from _parts(hint.__origin__)
    elif origin in {typing.Union, types.UnionType}:
        for part in typing.get_args(hint):
            yield from _parts(part)
    else:
        yield hint


def _metavar(hints: list[Any]) -> str:
    for hint in hints:
        if isinstance(hint, In):
            return "number" if hint.unit == "1" else hint.unit
        if isinstance(hint, Per):
            return f"USD/{hint.unit}" if hint.unit else "USD"
        choices = _choices(hint)
        if choices and len(choices) <= _MANY_CHOICES:
            return "|".join(choices)
    if str in hints:
        return "text"
    if any(typing.get_origin(hint) is tuple for hint in hints):
        return "n,n,…"
    return "number" if {int, float} & set(map(_hashable, hints)) else "name"


def _choices(hint: Any) -> tuple[str, ...]:
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return tuple(str(member.value) for member in hint)
    return ()


def _hashable(hint: Any) -> Any:
    return hint if isinstance(hint, type) else None
