"""Errors on the shipped measurements may only fall."""

from pathlib import Path

import pytest
import yaml

from dayrate.validation import ratchet
from dayrate.validation.ratchet import FIGURES, PARTS, digest, measured, recorded, worse

UPDATE = "run `python -m dayrate.validation.ratchet`"


def test_no_error_exceeds_what_is_recorded() -> None:
    table, before = recorded()
    assert table == digest(), f"another table: {UPDATE}"
    now = measured()
    assert set(before) == set(now) > set(PARTS)
    assert worse(now, before) == []


@pytest.mark.parametrize("figure", FIGURES)
def test_a_worse_error_is_found(figure: str) -> None:
    _, before = recorded()
    now = {p: dict(f) for p, f in before.items()}
    now[PARTS[0]][figure] += 0.001
    (complaint,) = worse(now, before)
    assert figure in complaint


def test_the_record_is_lowered_and_never_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before = recorded()
    better, same, bad = PARTS
    now = {p: dict(f) for p, f in before.items()}
    now[better] = dict.fromkeys(FIGURES, 0.01)
    now[bad] = dict.fromkeys(FIGURES, 9.0)
    monkeypatch.setattr(ratchet, "measured", lambda: now)
    file = tmp_path / "ratchet.yaml"
    assert ratchet.main(file) == 1
    written = yaml.safe_load(file.read_text())
    monkeypatch.setattr(ratchet, "rows", lambda _: written)
    _, after = recorded()
    assert after[better] == dict.fromkeys(FIGURES, 0.01)
    assert (after[same], after[bad]) == (before[same], before[bad])
