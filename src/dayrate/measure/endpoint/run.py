"""The load itself: probe, warm up, then requests in a closed or an open loop."""

import asyncio
import enum
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.client import Budget, Client, Patience, opened
from dayrate.measure.endpoint.learn import Manner, Served, learn
from dayrate.measure.endpoint.plan import ClosedLoop, Pace, Sizes, sizes_of, within
from dayrate.measure.endpoint.record import Fault, Job, Record, State
from dayrate.measure.endpoint.target import Target
from dayrate.workload import DemandInput

__all__ = ["Ask", "Run", "Stop", "Watch", "load", "run_load"]

_DEAD_AFTER = 5  # requests in a row that found nobody


class Stop(enum.Enum):
    """Why a test ended."""

    FINISHED = "finished"  # every request that was planned
    SECONDS = "max_seconds"
    REQUESTS = "max_requests"  # retries took the place of requests
    INTERRUPTED = "interrupted"
    DEAD = "server_gone"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a test is asked.

    Parameters
    ----------
    demand : DemandInput
        Preset, trace or mean lengths.
    pace : ClosedLoop or OpenLoop or TraceTimes
        When requests leave.
    max_requests : int
        Requests in all: probes, warm-up and retries count. [1]
    max_seconds : float
        From the first contact to the end. [s]
    warmup : int
        Requests before those that count. [1]
    shared_prefix_tokens : int
        Tokens that all prompts begin with. [token]
    """

    demand: DemandInput
    pace: Pace
    manner: Manner = field(default_factory=Manner)
    patience: Patience = field(default_factory=Patience)
    max_requests: int = 100
    max_seconds: float = 60.0
    warmup: int = 2
    shared_prefix_tokens: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_requests < 1 or not self.max_seconds > 0:
            raise InvalidInput(
                f"A budget of {self.max_requests} requests and {self.max_seconds:g} s "
                "allows no test. Give --max-requests and --max-seconds above 0."
            )
        if min(self.warmup, self.shared_prefix_tokens) < 0:
            raise InvalidInput(
                "--warmup and --shared-prefix-tokens are 0 or more, not below."
            )


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a test.

    Parameters
    ----------
    records : tuple of Record
        Requests that count, in the order they left; those too long for the context
        were not sent.
    planned : int
        Requests that would have been sent. [1]
    sent : int
        Requests in all, with probes, warm-up and retries. [1]
    start_s : float
        When the first request that counts could leave, on the records' clock. [s]
    """

    ask: Ask
    served: Served
    sizes: Sizes
    records: tuple[Record, ...]
    planned: int
    sent: int
    start_s: float
    stop: Stop


class Watch(Protocol):
    """Who is told how it goes."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Say what begins, and of how many steps."""

    def step(self, record: Record | None = None) -> None:
        """Say that one step is done."""


@dataclass(slots=True)
class _Load:
    """The requests that count."""

    client: Client
    served: Served
    watch: Watch
    records: list[Record] = field(default_factory=list)
    unanswered: int = 0  # in a row

    @property
    def dead(self) -> bool:
        return self.unanswered >= _DEAD_AFTER

    async def send(self, job: Job) -> None:
        record = Record(job)
        self.records.append(record)
        await self.client.answer(record, self.served.dialect)
        nobody = record.fault is Fault.CONNECT
        self.unanswered = self.unanswered + 1 if nobody else 0
        self.watch.step(record)

    async def closed(self, jobs: Sequence[Job], concurrency: int) -> None:
        waiting = iter(jobs)
        async with asyncio.TaskGroup() as group:
            for _worker in range(min(concurrency, len(jobs))):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: Iterator[Job]) -> None:
        for job in waiting:
            if self.dead or self.client.budget.empty:
                return
            await self.send(job)

    async def opened(self, jobs: Sequence[Job]) -> None:
        async with asyncio.TaskGroup() as group:
            async for job in self._due(jobs):
                if self.dead or self.client.budget.empty:
                    return
                group.create_task(self.send(job))

    async def _due(self, jobs: Sequence[Job]) -> AsyncIterator[Job]:
        for job in jobs:
            assert job.at_s is not None
            # also lets the requests that have left go on, when this one is late
            await asyncio.sleep(max(job.at_s - self.client.budget.now_s(), 0.0))
            yield job


def run_load(target: Target, ask: Ask, watch: Watch) -> Run:
    """Test a server and return what came, interrupted or not.

    Raises
    ------
    InvalidInput
        The test cannot begin: bad lengths, no answer, no budget.
    """
    sizes = sizes_of(ask.demand, ask.pace, most=ask.max_requests, seed=ask.seed)
    return asyncio.run(load(target, ask, sizes, watch))


async def load(target: Target, ask: Ask, sizes: Sizes, watch: Watch) -> Run:
    """Probe, prepare, warm up and load."""
    budget = Budget(ask.max_requests, ask.max_seconds)
    async with opened(target, budget, ask.patience) as client:
        try:
            async with asyncio.timeout(budget.left_s):
                watch.phase("asking the server")
                served = await learn(client, ask.manner)
                jobs, too_long = await _prepared(client, served, ask, sizes, watch)
                warm = [j for j in jobs if j.index < 0]
                await _warm_up(client, served, warm, watch)
        except TimeoutError:
            raise InvalidInput(
                f"{ask.max_seconds:g} s passed before the load began: probing, making "
                "prompts and warming up took them. Raise --max-seconds."
            ) from None
        jobs = jobs[len(warm) :]
        start_s = budget.now_s()
        running = _Load(client, served, watch)
        watch.phase("load", len(jobs))
        stop = await _until(running, jobs, ask.pace, budget)
        return Run(
            ask=ask,
            served=served,
            sizes=sizes,
            records=(*_settled(running.records), *too_long),
            planned=len(jobs) + len(too_long),
            sent=budget.sent,
            start_s=start_s,
            stop=stop,
        )


async def _until(
    running: _Load, jobs: Sequence[Job], pace: Pace, budget: Budget
) -> Stop:
    """Send until all are sent, or the time, the budget or the user ends it."""
    at_s = [j.at_s for j in jobs]
    jobs = [_shifted(job, budget.now_s() - (at_s[0] or 0.0)) for job in jobs]
    try:
        async with asyncio.timeout(budget.left_s):
            if isinstance(pace, ClosedLoop):
                await running.closed(jobs, pace.concurrency)
            else:
                await running.opened(jobs)
    except TimeoutError:
        return Stop.SECONDS
    except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
        return Stop.INTERRUPTED
    if running.dead:
        return Stop.DEAD
    short = len(running.records) < len(jobs)
    if short:
        return Stop.SECONDS if budget.left_s <= 0 else Stop.REQUESTS
    return Stop.FINISHED


def _shifted(job: Job, by_s: float) -> Job:
    at_s = None if job.at_s is None else job.at_s + by_s
    return Job(job.index, job.prompt, job.input_tokens, job.output_tokens, at_s)


def _settled(records: Sequence[Record]) -> Iterator[Record]:
    """Count what was on its way as cancelled; what never left is none."""
    for record in records:
        if record.state is State.WAITING:
            record.state = State.CANCELLED
        if record.sent_s is not None:
            yield record


async def _prepared(
    client: Client, served: Served, ask: Ask, sizes: Sizes, watch: Watch
) -> tuple[list[Job], list[Record]]:
    """Make the prompts that the budget still allows, warm-up first."""
    left = client.budget.requests - client.budget.sent - ask.warmup
    if left < 1:
        raise InvalidInput(
            f"--max-requests {ask.max_requests} leaves nothing to measure: "
            f"{client.budget.sent} went into probes and {ask.warmup} go into warm-up. "
            "Raise it, or lower --warmup."
        )
    fits = within(sizes, served.longest_tokens).tolist()
    good = [i for i, fit in enumerate(fits) if fit][:left]
    if not good:
        raise InvalidInput(
            f"No request fits into the model's context of {served.longest_tokens} "
            f"tokens: the shortest has {_shortest(sizes)}. Give a lower --isl or --osl."
        )
    rows = good[: ask.warmup] + good
    watch.phase("making prompts", len(rows))
    prefix = await _prefix(served, ask.shared_prefix_tokens)
    jobs = []
    for number, row in enumerate(rows, start=len(good) - len(rows)):
        jobs.append(await _job(served, sizes, row, number, prefix))
        watch.step()
    long = [i for i in range(good[-1]) if not fits[i]]
    return jobs, [_unsent(sizes, i) for i in long]


async def _prefix(served: Served, tokens: int) -> str:
    if not tokens:
        return ""
    text, _tokens = await served.prompter.text(tokens + served.prompter.overhead_tokens)
    return text


async def _job(served: Served, sizes: Sizes, row: int, number: int, prefix: str) -> Job:
    wanted = int(sizes.input_tokens[row])
    text, counted = await served.prompter.text(wanted, after=prefix)
    at_s = None if sizes.at_s is None else float(sizes.at_s[row])
    return Job(number, text, counted, int(sizes.output_tokens[row]), at_s)


def _shortest(sizes: Sizes) -> int:
    return int((sizes.input_tokens + sizes.output_tokens).min())


def _unsent(sizes: Sizes, i: int) -> Record:
    tokens = int(sizes.input_tokens[i]), int(sizes.output_tokens[i])
    return Record(Job(i, "", *tokens), State.TOO_LONG)


async def _warm_up(
    client: Client, served: Served, jobs: Sequence[Job], watch: Watch
) -> None:
    """Send a few requests at once, which open connections and fill caches."""
    if not jobs:
        return
    watch.phase("warming up", len(jobs))
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(client.answer(Record(job), served.dialect))
