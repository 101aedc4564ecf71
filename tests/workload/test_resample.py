"""Traces thinned, warped, repeated; windows drawn: what changes and what stays."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import ArrivalProcess, Process
from dayrate.workload.resample import (
    check_count,
    from_windows,
    rows_repeated,
    thinned,
    warped,
    with_fresh_arrivals,
)
from dayrate.workload.traces import Blocks, Trace, hit_rate, read_trace


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def trace(n: int = 50, sessions: int = 0) -> Trace:
    """Requests a second apart on average; request i has i + 1 tokens and block i."""
    return Trace(
        "csv",
        np.sort(rng(7).uniform(0, n, n)),
        np.arange(1.0, n + 1),
        np.arange(1.0, n + 1),
        sessions=np.array([str(i % sessions) for i in range(n)]) if sessions else None,
        blocks=Blocks(np.arange(n + 1), np.arange(n)),
    )


@given(st.integers(2, 80), st.floats(0.2, 1.0), st.integers(0, 99))
def test_thinning_keeps_rows_whole_and_in_order(
    n: int, share: float, seed: int
) -> None:
    full = trace(n)
    if not (rng(seed).random(n) < share).any():
        with pytest.raises(InvalidInput, match="Keep more"):
            thinned(full, share, rng(seed))
        return
    kept = thinned(full, share, rng(seed))
    assert kept.arrival_s is not None
    assert kept.blocks is not None
    assert (np.diff(kept.arrival_s) >= 0).all()
    assert (np.diff(kept.input_tokens) > 0).all()  # a subsequence
    assert (kept.input_tokens - 1 == kept.blocks.ids).all()


def test_thinning_keeps_its_share() -> None:
    assert len(thinned(trace(20_000), 0.3, rng()).input_tokens) == pytest.approx(
        6000, rel=0.05
    )


def test_sessions_are_kept_whole() -> None:
    full = trace(200, sessions=40)
    kept = thinned(full, 0.5, rng())
    assert kept.sessions is not None
    for session in np.unique(kept.sessions):
        assert (kept.sessions == session).sum() == 5


def test_requests_without_a_session_are_thinned_one_by_one() -> None:
    full = trace(1000, sessions=1)
    full = Trace(
        "csv",
        full.arrival_s,
        full.input_tokens,
        full.output_tokens,
        sessions=np.full(1000, ""),
    )
    assert 400 < len(thinned(full, 0.5, rng()).input_tokens) < 600


@given(st.floats(0.01, 100))
def test_a_warp_multiplies_the_rate(factor: float) -> None:
    fast, before = warped(trace(), factor), trace()
    assert fast.span_s * factor == pytest.approx(before.span_s)
    assert (fast.input_tokens == before.input_tokens).all()


@pytest.mark.parametrize("n", [10, 50, 51, 175])
def test_a_longer_trace_repeats_its_rows(n: int) -> None:
    more = rows_repeated(trace(50, sessions=10), n)
    assert more.input_tokens.tolist() == [i % 50 + 1 for i in range(n)]
    assert more.blocks is not None
    assert len(set(more.blocks.ids.tolist())) == n  # nothing cached from last time
    assert more.sessions is not None
    assert len(set(more.sessions.tolist())) == sum(
        min(10, n - start) for start in range(0, n, 50)
    )


@pytest.mark.parametrize("n", [20, 50, 500])
def test_a_repeated_trace_keeps_its_rate(n: int) -> None:
    full = trace()
    more = with_fresh_arrivals(full, n, None, None, rng())
    assert len(more.input_tokens) == n
    assert full.arrival_s is not None
    assert more.arrival_s is not None
    own = 49 / (full.arrival_s[-1] - full.arrival_s[0])
    assert n / more.arrival_s[-1] == pytest.approx(own)
    assert (np.diff(more.arrival_s) >= 0).all()


def test_a_rate_asked_for_is_met_over_the_same_time() -> None:
    full = trace()
    assert full.arrival_s is not None
    span = full.arrival_s[-1] - full.arrival_s[0]
    more = with_fresh_arrivals(full, None, 8.0, None, rng())
    assert more.arrival_s is not None
    assert len(more.input_tokens) / more.arrival_s[-1] == pytest.approx(8.0, rel=0.01)
    assert more.arrival_s[-1] == pytest.approx(span * 50 / 49, rel=0.01)


def test_a_process_replaces_the_curve() -> None:
    process = ArrivalProcess(Process.GAMMA, 4.0)
    more = with_fresh_arrivals(trace(), 20_000, None, process, rng())
    assert more.arrival_s is not None
    gaps = np.diff(more.arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(4.0, rel=0.1)


def windows(*requests: float) -> Trace:
    counts = np.array(requests)
    return Trace(
        "windows",
        np.arange(float(len(counts))) * 60 + 600,
        counts * 100.3,
        counts * 10.0,
        requests=counts,
        window_s=60.0,
    )


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any), st.integers(0, 99)
)
def test_windows_become_requests(counts: list[int], seed: int) -> None:
    drawn = from_windows(windows(*counts), None, None, rng(seed))
    assert drawn.arrival_s is not None
    assert (np.diff(drawn.arrival_s) >= 0).all()
    assert len(drawn.input_tokens) == sum(counts)
    assert drawn.input_tokens.sum() == pytest.approx(100.3 * sum(counts), abs=0.51)
    assert set(drawn.input_tokens.tolist()) <= {100.0, 101.0}
    empty = [i for i, n in enumerate(counts) if not n]
    found = np.unique(drawn.arrival_s // 60).tolist()
    assert not set(empty) & set(found)


def test_windows_keep_their_rates() -> None:
    drawn = from_windows(windows(1000, 0, 4000), None, None, rng())
    assert drawn.arrival_s is not None
    count = np.bincount((drawn.arrival_s // 60).astype(int))
    assert count == pytest.approx([1000, 0, 4000], rel=0.1)


def test_windows_repeat_and_scale() -> None:
    drawn = from_windows(windows(10, 20), 300, 1.0, rng())
    assert drawn.arrival_s is not None
    assert len(drawn.arrival_s) == 300
    assert drawn.arrival_s[-1] == pytest.approx(300, rel=0.05)


def test_a_gap_between_windows_is_quiet() -> None:
    base = windows(50, 50, 50)
    assert base.arrival_s is not None
    gap = Trace(
        "windows",
        base.arrival_s + np.array([0, 0, 600.0]),
        base.input_tokens,
        base.output_tokens,
        requests=base.requests,
        window_s=60.0,
    )
    drawn = from_windows(gap, None, None, rng())
    assert drawn.arrival_s is not None
    assert not ((drawn.arrival_s > 120) & (drawn.arrival_s < 720)).any()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match="above 0 and up to 1"):
        thinned(trace(), share, rng())


@pytest.mark.parametrize("factor", [0.0, -2.0, math.nan, math.inf])
def test_impossible_warps_are_refused(factor: float) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        warped(trace(), factor)


@pytest.mark.parametrize("n", [math.inf, 1e12, 0.2, math.nan])
def test_impossible_counts_are_refused(n: float) -> None:
    with pytest.raises(InvalidInput):
        check_count(n, "")


def test_a_trace_at_one_time_has_no_rate() -> None:
    at_once = Trace("csv", np.zeros(3), np.ones(3), np.ones(3))
    with pytest.raises(InvalidInput, match="has no rate"):
        with_fresh_arrivals(at_once, 5, None, None, rng())


def test_thinned_windows_keep_their_lengths() -> None:
    thin = thinned(windows(100, 300), 0.1, rng())
    drawn = from_windows(thin, None, None, rng())
    assert len(drawn.input_tokens) == 40
    assert drawn.input_tokens.mean() == pytest.approx(100.3, abs=0.02)


def test_reuse_within_a_round_stays() -> None:
    twice = Trace(
        "csv",
        np.array([0.0, 1.0]),
        np.array([512.0, 512.0]),
        np.ones(2),
        blocks=Blocks(np.array([0, 1, 2]), np.array([5, 5])),
    )
    assert hit_rate(rows_repeated(twice, 200)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "cv", "per_minute_cv"),
    [("azure2023_conv", 0.03, 0.06), ("ragpulse_7d", 0.1, 0.1)],
)
def test_published_traces_keep_their_bursts(
    shared_data: Path, name: str, cv: float, per_minute_cv: float
) -> None:
    """CV of gaps and of requests per minute of a redrawn trace, beside its own."""
    own = read_trace(shared_data / "traces" / f"{name}.csv.gz")
    own = replace(own, blocks=None, sessions=None)
    new = with_fresh_arrivals(own, len(own.input_tokens), None, None, rng())
    found = []
    for arrival in (own.arrival_s, new.arrival_s):
        assert arrival is not None
        gaps = np.diff(arrival)
        counts = np.bincount((arrival // 60).astype(int))[:-1]
        found.append([gaps.std() / gaps.mean(), counts.std() / counts.mean()])
    assert found[1][0] == pytest.approx(found[0][0], rel=cv)
    assert found[1][1] == pytest.approx(found[0][1], rel=per_minute_cv)
