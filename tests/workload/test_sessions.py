"""Sessions: prompts grow, their blocks nest, and the means asked for are met."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import ArrivalProcess, Process
from dayrate.workload.lengths import fixed, lognormal
from dayrate.workload.sessions import (
    Dialogue,
    History,
    draw_sessions,
    one_size,
    with_history,
)
from dayrate.workload.traces import Blocks, Trace, hit_rate

LENGTHS = (lognormal(mean_tokens=1200, cv=1.0), lognormal(mean_tokens=80, cv=0.7))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(turns: float = 3.0, n: int = 400, seed: int = 1) -> Trace:
    dialogue = Dialogue(turns, 20.0)
    return draw_sessions(
        dialogue, ArrivalProcess(), n, 5.0, lengths=LENGTHS, rng=rng(seed)
    )


def turns_of(trace: Trace) -> list[np.ndarray]:
    assert trace.sessions is not None
    return [np.flatnonzero(trace.sessions == s) for s in np.unique(trace.sessions)]


def blocks_of(blocks: Blocks, row: int) -> list[int]:
    ids: list[int] = blocks.ids[blocks.offsets[row] : blocks.offsets[row + 1]].tolist()
    return ids


@settings(max_examples=25)
@given(st.floats(1.0, 5.0), st.integers(1, 150), st.integers(0, 99))
def test_prompts_grow_and_blocks_nest(turns: float, n: int, seed: int) -> None:
    trace = drawn(turns, n, seed)
    blocks = trace.blocks
    assert blocks is not None
    assert blocks.answers is not None
    assert trace.arrival_s is not None
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert trace.arrival_s[-1] == pytest.approx(n / 5.0)
    seen: set[int] = set()
    for rows in turns_of(trace):
        said = trace.input_tokens[rows]
        held = (trace.input_tokens + trace.output_tokens)[rows]
        assert (said[1:] > held[:-1]).all()  # all before, and a message
        ids = [blocks_of(blocks, row) for row in rows]
        answers = [blocks_of(blocks.answers, row) for row in rows]
        for before, own, after in zip(ids, answers, ids[1:], strict=False):
            assert after[: len(before) + len(own)] == before + own
        full = (held - 1) // blocks.block_tokens
        kept = [len(a) + len(b) for a, b in zip(ids, answers, strict=True)]
        assert kept == full.tolist()
        assert [len(i) for i in ids] == (said // blocks.block_tokens).tolist()
        assert not seen & set(ids[-1])  # no other session's
        seen |= set(ids[-1]) | set(answers[-1])


def test_the_mean_prompt_is_the_one_asked_for() -> None:
    trace = drawn(n=20_000)
    assert trace.input_tokens.mean() == pytest.approx(1200, rel=0.001)
    assert trace.output_tokens.mean() == pytest.approx(80, rel=0.03)


def test_sessions_have_their_turns_and_their_pace() -> None:
    trace = drawn(turns=3.0, n=20_000)
    assert trace.arrival_s is not None
    rows = turns_of(trace)
    inner = [r for r in rows if 200 < trace.arrival_s[r[0]] < 3500]
    assert np.mean([len(r) for r in inner]) == pytest.approx(3.0, rel=0.05)
    gaps = np.concatenate([np.diff(trace.arrival_s[r]) for r in inner])
    assert gaps.mean() == pytest.approx(20.0, rel=0.05)


def test_the_rate_is_steady_from_the_beginning() -> None:
    """A log cut out of a long run begins with sessions under way."""
    early = 0.0
    for seed in range(40):
        trace = drawn(turns=4.0, n=500, seed=seed)
        assert trace.arrival_s is not None
        early += (trace.arrival_s < 20).mean() / 40
    assert early == pytest.approx(0.2, abs=0.03)


def test_more_turns_share_more() -> None:
    rates = []
    for turns in (1.0, 2.0, 5.0):
        trace = drawn(turns, 3000)
        assert trace.blocks is not None
        rates.append(hit_rate(trace, block_tokens=trace.blocks.block_tokens))
    assert rates[0] == 0
    assert rates[0] < rates[1] < rates[2]


def test_a_seed_repeats() -> None:
    assert (drawn(seed=3).input_tokens == drawn(seed=3).input_tokens).all()
    assert not np.array_equal(drawn(seed=3).input_tokens, drawn(seed=4).input_tokens)


def test_answers_too_long_for_the_prompt_are_refused() -> None:
    lengths = (fixed(100.0), fixed(500.0))
    with pytest.raises(InvalidInput, match="fewer turns"):
        draw_sessions(
            Dialogue(5.0), ArrivalProcess(), 100, 1.0, lengths=lengths, rng=rng()
        )


@pytest.mark.parametrize(("turns", "think_s"), [(0.5, 60), (float("nan"), 60), (3, 0)])
def test_impossible_dialogues_are_refused(turns: float, think_s: float) -> None:
    with pytest.raises(InvalidInput, match="give"):
        Dialogue(turns, think_s)


def log(inputs: list[float], outputs: list[float], sessions: list[str]) -> Trace:
    n = len(inputs)
    return Trace(
        "csv",
        np.arange(float(n)),
        np.array(inputs),
        np.array(outputs),
        sessions=np.array(sessions),
    )


def test_prompts_that_hold_their_history_share_it() -> None:
    trace = with_history(
        log([100, 50, 200, 260, 90], [20, 5, 30, 9, 5], ["a", "b", "a", "a", "a"]),
        History.INCLUDED,
    )
    blocks = trace.blocks
    assert blocks is not None
    assert trace.input_tokens.tolist() == [100, 50, 200, 260, 90]
    ids = [blocks_of(blocks, i) for i in range(5)]
    assert [len(i) for i in ids] == [6, 3, 12, 16, 5]
    assert ids[2][:6] == ids[0]
    assert ids[3][:12] == ids[2]
    assert not set(ids[4]) & set(ids[3])  # shorter than what came before: begun anew
    assert not set(ids[1]) & set(ids[3])


def test_messages_get_their_history_in_front() -> None:
    trace = with_history(
        log([100, 50, 30, 7], [20, 5, 40, 9], ["a", "b", "a", "a"]), History.ADDED
    )
    assert trace.input_tokens.tolist() == [100, 50, 150, 197]


@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 99), st.sampled_from("abc")),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(History),
)
def test_blocks_nest_where_prompts_grow(
    rows: list[tuple[int, int, str]], history: History
) -> None:
    columns = [list(c) for c in zip(*rows, strict=True)]
    trace = with_history(log(*columns), history)
    assert trace.blocks is not None
    assert (trace.input_tokens >= np.array(columns[0])).all()
    for turns in turns_of(trace):
        for i, j in pairwise(turns):
            grown = trace.input_tokens[j] >= trace.input_tokens[i] + columns[1][i]
            assert grown or history is History.INCLUDED
            before, after = blocks_of(trace.blocks, i), blocks_of(trace.blocks, j)
            if grown:
                assert after[: len(before)] == before
            else:
                assert not set(before) & set(after)


def test_rows_without_a_session_stand_alone() -> None:
    trace = with_history(log([100, 200], [1, 1], ["", ""]), History.ADDED)
    assert trace.input_tokens.tolist() == [100, 200]


@pytest.mark.parametrize("field", ["sessions", "blocks"])
def test_history_needs_sessions_and_no_blocks(field: str) -> None:
    trace = Trace(
        "csv",
        np.arange(2.0),
        np.ones(2),
        np.ones(2),
        sessions=None if field == "sessions" else np.array(["a", "a"]),
        blocks=Blocks(np.array([0, 1, 2]), np.array([1, 2])),
    )
    with pytest.raises(InvalidInput, match="--history"):
        with_history(trace, History.INCLUDED)


def test_components_are_cut_into_blocks() -> None:
    # two prompts: 7 of 20 tokens, then 8 of 40; and 7, then 9 of 30
    components = Blocks(
        np.array([0, 2, 4]), np.array([7, 8, 7, 9]), np.array([20, 40, 20, 30])
    )
    cut = one_size(components, np.array([65.0, 50.0]))
    assert cut.block_tokens == 16
    first, second = (blocks_of(cut, i) for i in range(2))
    assert (len(first), len(second)) == (3, 3)  # 60 and 50 tokens, full blocks
    assert first[0] == second[0]  # wholly within the first 20
    assert not set(first[1:]) & set(second[1:])


def test_components_behind_another_beginning_are_others() -> None:
    components = Blocks(
        np.array([0, 2, 4]), np.array([1, 5, 2, 5]), np.array([16, 32, 16, 32])
    )
    cut = one_size(components, np.array([48.0, 48.0]))
    assert not set(blocks_of(cut, 0)) & set(blocks_of(cut, 1))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.just(0)), min_size=1, max_size=6),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(1, 90), min_size=4, max_size=4),
)
def test_blocks_are_shared_as_far_as_components_are(
    prompts: list[list[tuple[int, int]]], sizes: list[int]
) -> None:
    """Two prompts share the blocks that lie within their common components."""
    ids = [[c for c, _ in p] for p in prompts]
    offsets = np.cumsum([0, *map(len, ids)])
    flat = np.array([c for p in ids for c in p])
    tokens = np.array([sizes[c] for c in flat])
    totals = np.array([float(sum(sizes[c] for c in p)) for p in ids])
    cut = one_size(Blocks(offsets, flat, tokens), totals)
    for i, one in enumerate(ids):
        for j, other in enumerate(ids):
            common = 0
            for a, b in zip(one, other, strict=False):
                if a != b:
                    break
                common += sizes[a]
            mine, theirs = blocks_of(cut, i), blocks_of(cut, j)
            same = [a == b for a, b in zip(mine, theirs, strict=False)]
            shared = common // cut.block_tokens
            assert all(same[:shared])
            assert not any(same[shared:])


def test_blocks_beyond_the_prompt_are_left_out() -> None:
    blocks = Blocks(np.array([0, 3, 4]), np.array([1, 2, 3, 1]))
    cut = one_size(blocks, np.array([600.0, 10.0]))
    assert cut.offsets.tolist() == [0, 2, 3]
    assert cut.ids.tolist() == [1, 2, 1]


def test_bursty_sessions() -> None:
    trace = draw_sessions(
        Dialogue(2.0, 5.0),
        ArrivalProcess(Process.GAMMA, 5.0),
        500,
        1.0,
        lengths=LENGTHS,
        rng=rng(),
    )
    assert len(trace.input_tokens) == 500


def test_too_many_blocks_are_made_wider() -> None:
    components = Blocks(np.array([0, 1]), np.array([1]), np.array([80_000_000]))
    cut = one_size(components, np.array([8e7]))
    assert cut.block_tokens == 32
    assert len(cut.ids) == 2_500_000
