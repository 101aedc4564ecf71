"""The real engine, briefly: one thread, few tokens, no time asserted."""

from pathlib import Path

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.llama import LlamaRunner
from dayrate.measure.calibrate.points import Kind, Point
from dayrate.measure.calibrate.stream import Request, serve
from dayrate.measure.models import embedded_gguf
from dayrate.measure.server import ServerSettings


@pytest.mark.slow
def test_points_and_streams_run_and_the_server_ends() -> None:
    settings = ServerSettings(embedded_gguf(), slots=3, context_tokens=128, threads=1)
    with LlamaRunner(settings) as runner:
        for point in (Point(Kind.PREFILL, 8), Point(Kind.DECODE, 8, 2)):
            effort = runner.time(point)
            assert effort.own_s > 0
        assert len(runner.request_s) == 1
        found = serve(runner.server, [Request(8, 3), Request(12, 4)])
        assert found.ttft_s < found.makespan_s
    assert not runner.server.alive


@pytest.mark.slow
def test_a_truncated_model_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with embedded_gguf().open("rb") as whole:
        cut.write_bytes(whole.read(3_000_000))
    runner = LlamaRunner(ServerSettings(cut, slots=1, context_tokens=64, threads=1))
    with pytest.raises(InvalidInput, match=r"cannot serve cut\.gguf"), runner:
        pass
    assert not runner.server.alive
