"""Every key of a scenario is a flag, and every flag and command is documented."""

from pathlib import Path

import pytest

from dayrate.cli.options import scenario_options
from dayrate.cli.reference import markdown, parameters
from dayrate.scenario.flags import FLAGS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_there_is_an_option_for_each_flag() -> None:
    options = {o.name: o for o in scenario_options()}
    assert options.keys() == FLAGS.keys()
    for flag, option in options.items():
        assert f"--{flag.replace('_', '-')}" in option.opts


@pytest.mark.parametrize("option", scenario_options(), ids=lambda o: o.name)
def test_an_option_says_what_it_is(option: object) -> None:
    assert getattr(option, "help", "")


def test_every_command_and_flag_is_in_the_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for command, parameter in parameters():
        assert f"## `{f'dayrate {command}'.strip()}`" in text
        if parameter.param_type_name == "option":
            assert all(f"`{opt}`" in text for opt in parameter.opts)


def test_the_reference_is_what_the_commands_say() -> None:
    assert markdown() in REFERENCE.read_text(encoding="utf-8")
