"""The parts of a start, in SI."""

from dayrate.catalog import startup
from dayrate.evidence import Grade


def test_the_parts_of_a_start() -> None:
    parts = startup()
    assert parts.engine_s.grade is Grade.CITED
    # 14.36 s for Llama 3 8B in 16 bits, 16.06 GB, from a gp3 disk
    assert 16.06e9 / parts.weights_bytes_per_s.mid < 15
    assert parts.machine_s.low == 120
