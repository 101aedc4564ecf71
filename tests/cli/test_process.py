"""The installed command as a process: pipes, encodings, what it imports."""

import subprocess
import sys
from pathlib import Path

from dayrate.cli.output import write_file

RUN = "from dayrate.cli.main import run; run()"


def dayrate(*arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), **env},
    )


def test_a_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "catalog", "prices", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_terminal_without_these_letters_still_gets_an_answer() -> None:
    done = dayrate("catalog", "sites", "usa", "--lang", "zh", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert b"?" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from dayrate.cli.main import main; main(['--help']); "
        "heavy = {'numpy', 'scipy', 'pint', 'pandas'} & sys.modules.keys(); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


def test_a_written_file_is_as_open_as_others(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.csv", tmp_path / "other.csv"
    other.write_text("a")
    write_file(str(mine), "b")
    assert mine.stat().st_mode == other.stat().st_mode
    mine.chmod(0o640)
    write_file(str(mine), "c")
    assert mine.stat().st_mode & 0o777 == 0o640
    assert mine.read_text() == "c"
