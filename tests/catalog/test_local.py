"""The user's own machine among the devices."""

from pathlib import Path

import pytest

from dayrate import catalog
from dayrate.catalog.local import config_folder, is_local, local_file
from dayrate.errors import InvalidInput, UnknownName


def test_the_folder_is_as_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAYRATE_CONFIG_DIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_folder() == tmp_path / ".config" / "dayrate"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_folder() == tmp_path / "xdg" / "dayrate"
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", "~/own")
    assert config_folder() == tmp_path / "own"


@pytest.mark.parametrize("name", ["this-machine", "This_Machine", " this machine "])
def test_it_has_one_name_however_it_is_written(name: str) -> None:
    assert is_local(name)
    assert local_file(name).name == "this-machine.yaml"


def test_a_machine_that_was_not_calibrated_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path))
    with pytest.raises(InvalidInput, match="Run `dayrate measure calibrate"):
        catalog.accelerator("this-machine")
    with pytest.raises(InvalidInput, match="--engine transformers"):
        catalog.accelerator("this-machine-transformers")


@pytest.mark.parametrize("text", ["", "[1, 2]", "accelerators: 3", "{", "\x00"])
def test_a_damaged_file_says_so(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "this-machine.yaml").write_text(text)
    with pytest.raises(InvalidInput, match="is damaged"):
        catalog.accelerator("this-machine")


def test_other_names_are_still_looked_up() -> None:
    assert not is_local("that-machine")
    with pytest.raises(UnknownName):
        catalog.accelerator("that-machine")
