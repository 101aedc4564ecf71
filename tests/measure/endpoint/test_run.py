"""A load test against a server that answers well, badly, or not at all."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.api import Api
from dayrate.measure.endpoint.client import Budget, Patience
from dayrate.measure.endpoint.learn import Manner
from dayrate.measure.endpoint.plan import ClosedLoop, OpenLoop, sizes_of
from dayrate.measure.endpoint.record import Fault, Record, State
from dayrate.measure.endpoint.run import Ask, Run, Stop, load, run_load
from dayrate.measure.endpoint.target import target_of
from dayrate.workload import DemandInput

IMPATIENT = Patience(retries=2, backoff_s=0.001)


class Silent:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.steps = 0

    def phase(self, name: str, total: int | None = None) -> None:
        self.phases.append(name)

    def step(self, record: Record | None = None) -> None:
        self.steps += 1


def ask(**more: Any) -> Ask:
    given: dict[str, Any] = {
        "demand": DemandInput(isl=20, osl=5),
        "pace": ClosedLoop(3),
        "patience": IMPATIENT,
        "max_requests": 12,
    }
    return Ask(**(given | more))


def loaded(fake: Any, **more: Any) -> Run:
    return run_load(target_of(fake.url), ask(**more), Silent())


def states(run: Run) -> set[State]:
    return {r.state for r in run.records}


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("crlf", [False, True])
def test_everything_is_counted_once(fake: Any, api: Api, crlf: bool) -> None:
    fake.crlf, fake.gap_s = crlf, 0.001
    run = loaded(fake, manner=Manner(api))
    assert run.stop is Stop.FINISHED
    assert run.sent == len(fake.asked) == 12  # one probe and two to warm up among them
    assert [r.job.index for r in run.records] == list(range(9))
    assert states(run) == {State.DONE}
    for r in run.records:
        assert (r.input_tokens, r.output_tokens, len(r.token_s)) == (20, 5, 5)
        assert r.sent_s is not None
        assert r.sent_s < r.token_s[0] == r.sent_s + (r.ttft_s or 0)
        assert r.token_s == sorted(r.token_s)
        assert sum(r.gaps_s) == pytest.approx((r.tpot_s or 0) * 4)
        assert r.usage.cached_tokens == 0


def test_a_closed_loop_keeps_so_many_in_flight(fake: Any) -> None:
    run = after_the_probe(fake, hold=4, pace=ClosedLoop(4), max_requests=20)
    assert states(run) == {State.DONE}
    assert fake.most_in_flight == 4


def test_an_open_loop_waits_for_no_answer(fake: Any) -> None:
    run = after_the_probe(fake, hold=8, pace=OpenLoop(1e6), warmup=0, max_requests=9)
    assert states(run) == {State.DONE}
    assert fake.most_in_flight == 8
    assert all((r.late_s or 0) >= 0 for r in run.records)
    assert all((r.job.at_s or 0) >= run.start_s for r in run.records)


def test_no_prompt_is_like_another(fake: Any) -> None:
    loaded(fake)
    loaded(fake)
    heads = [fake.prompt(c).split()[:8] for c in fake.asked]
    assert len({tuple(h) for h in heads}) == len(heads)


def test_prompts_share_the_beginning_that_is_asked_for(fake: Any) -> None:
    loaded(fake, shared_prefix_tokens=10)
    prompts = [fake.prompt(c) for c in fake.asked[1:]]
    assert {fake.tokens(p) for p in prompts} == {19}  # and one token around them
    words = [p.split() for p in prompts]
    shared = [w for w, *others in zip(*words, strict=False) if set(others) == {w}]
    assert fake.tokens(" ".join(shared)) >= 10
    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize(
    ("manner", "fault"),
    [
        ("malformed", Fault.MALFORMED),
        ("array", Fault.MALFORMED),
        ("closes", Fault.CLOSED),
        ("cut", Fault.CLOSED),
        ("error", Fault.SERVER),
        ("named error", Fault.SERVER),
    ],
)
def test_an_answer_that_breaks_keeps_its_beginning(
    fake: Any, manner: str, fault: Fault
) -> None:
    run = after_the_probe(fake, manner=manner)
    assert {r.fault for r in run.records} == {fault}
    assert {len(r.token_s) for r in run.records} == {2}
    assert {r.retries for r in run.records} == {0}
    assert all(r.message for r in run.records)


def test_an_answer_without_a_token_is_no_answer(fake: Any) -> None:
    fake.manner = "empty"
    run = loaded(fake)
    assert {r.fault for r in run.records} == {Fault.EMPTY}
    assert all(r.ttft_s is None and r.tpot_s is None for r in run.records)


def test_a_server_that_is_put_off_is_asked_again(fake: Any) -> None:
    run = after_the_probe(
        fake, pace=ClosedLoop(1), warmup=0, statuses=[500, 503, 200, 429]
    )
    assert states(run) == {State.DONE}
    assert [r.retries for r in run.records][:3] == [2, 1, 0]
    assert run.records[0].waited_s > 0
    assert run.stop is Stop.REQUESTS  # the attempts took the place of three requests
    assert run.sent == len(fake.asked) == 12


def test_attempts_end(fake: Any) -> None:
    run = after_the_probe(
        fake, pace=ClosedLoop(1), warmup=0, statuses=[500] * 3 + [400]
    )
    first, second, *rest = run.records
    assert (first.fault, first.status, first.retries) == (Fault.STATUS, 500, 2)
    assert (second.fault, second.status, second.retries) == (Fault.STATUS, 400, 0)
    assert {r.state for r in rest} == {State.DONE}


def test_a_wait_beyond_the_budget_is_not_begun(fake: Any) -> None:
    fake.retry_after = "3600"
    run = after_the_probe(fake, statuses=[429])
    assert [r.status for r in run.records].count(429) == 1
    assert run.stop is Stop.FINISHED


def test_a_connection_that_drops_is_tried_again(fake: Any) -> None:
    run = after_the_probe(
        fake, manner="drops", pace=ClosedLoop(1), warmup=0, max_requests=4
    )
    assert [(r.fault, r.retries) for r in run.records] == [(Fault.CLOSED, 2)]
    assert run.sent == 4


def test_a_server_that_dies_ends_the_test(fake: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    run = after_the_probe(fake, pace=ClosedLoop(1), max_requests=40, moved_to=port)
    assert run.stop is Stop.DEAD
    assert {r.fault for r in run.records} == {Fault.CONNECT}
    assert len(run.records) < run.planned


def test_a_request_that_hangs_is_given_up(fake: Any) -> None:
    patience = Patience(retries=0, request_timeout_s=0.05)
    run = after_the_probe(fake, manner="hangs", patience=patience, max_requests=6)
    assert {r.fault for r in run.records} == {Fault.TIMEOUT}


def test_time_that_is_up_cancels_what_is_on_its_way(fake: Any) -> None:
    run = after_the_probe(fake, manner="hangs", seconds=0.1)
    assert run.stop is Stop.SECONDS
    assert [r.state for r in run.records] == [State.CANCELLED] * 3
    assert len(run.records) < run.planned


@pytest.mark.parametrize("pace", [ClosedLoop(2), OpenLoop(1e3)])
def test_an_interrupted_test_has_a_result(fake: Any, pace: Any) -> None:
    fake.gap_s = 0.02

    class Impatient(Silent):
        def step(self, record: Record | None = None) -> None:
            super().step(record)
            if record is not None:
                assert main is not None
                main.cancel()

    main: asyncio.Task[Any] | None = None

    async def interrupted() -> Run:
        nonlocal main
        main = asyncio.current_task()
        asked = ask(pace=pace, max_requests=40)
        sizes = sizes_of(asked.demand, pace, most=40)
        return await load(target_of(fake.url), asked, sizes, Impatient())

    run = asyncio.run(interrupted())
    assert run.stop is Stop.INTERRUPTED
    assert {State.DONE, State.CANCELLED} <= states(run)
    assert len(run.records) < run.planned or isinstance(pace, OpenLoop)


def test_what_is_longer_than_the_context_is_not_sent(fake: Any) -> None:
    fake.context_tokens = 100
    run = loaded(fake, demand=DemandInput(preset="chat", isl=80, osl=20))
    long = [r for r in run.records if r.state is State.TOO_LONG]
    assert long
    assert all(r.job.input_tokens + r.job.output_tokens > 100 for r in long)
    assert run.sent == len(fake.asked)


def test_nothing_that_fits_is_an_error(fake: Any) -> None:
    fake.context_tokens = 16
    with pytest.raises(InvalidInput, match=r"context of 16.*--isl"):
        loaded(fake)


def test_a_budget_of_probes_alone_is_an_error(fake: Any) -> None:
    with pytest.raises(InvalidInput, match="leaves nothing to measure"):
        loaded(fake, max_requests=3)


def test_a_budget_that_ends_in_preparation_says_so(fake: Any) -> None:
    fake.gap_s = 0.2
    with pytest.raises(InvalidInput, match=r"passed before the load|budget ended"):
        loaded(fake, max_seconds=0.3)


@pytest.mark.parametrize(
    "more",
    [
        {"max_requests": 0},
        {"max_seconds": 0.0},
        {"warmup": -1},
        {"shared_prefix_tokens": -1},
    ],
)
def test_what_is_no_budget(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ask(**more)


def test_bad_lengths_are_refused_before_a_request(fake: Any) -> None:
    with pytest.raises(InvalidInput, match="how long"):
        loaded(fake, demand=DemandInput())
    assert fake.calls == []


def test_the_watcher_hears_of_every_step(fake: Any) -> None:
    watch = Silent()
    run_load(target_of(fake.url), ask(), watch)
    assert watch.phases == [
        "asking the server",
        "making prompts",
        "warming up",
        "load",
    ]
    assert watch.steps == 11 + 9  # prompts, then requests


def after_the_probe(
    fake: Any,
    *,
    manner: str = "fine",
    statuses: Sequence[int] = (),
    hold: int = 0,
    moved_to: int | None = None,
    seconds: float | None = None,
    **more: Any,
) -> Run:
    """Load a server that turns when the load begins, with ``seconds`` left then."""
    asked, target = ask(**more), target_of(fake.url)
    budgets: list[Budget] = []

    class Turning(Silent):
        def phase(self, name: str, total: int | None = None) -> None:
            if name != "load":
                return
            fake.manner, fake.statuses, fake.hold = manner, list(statuses), hold
            if moved_to is not None:
                object.__setattr__(target, "root", f"http://127.0.0.1:{moved_to}")
            if seconds is not None:
                budgets[0].seconds = budgets[0].now_s() + seconds

    def budget(*given: Any) -> Budget:
        budgets.append(Budget(*given))
        return budgets[0]

    sizes = sizes_of(asked.demand, asked.pace, most=asked.max_requests)
    with mock.patch("dayrate.measure.endpoint.run.Budget", budget):
        return asyncio.run(load(target, asked, sizes, Turning()))
