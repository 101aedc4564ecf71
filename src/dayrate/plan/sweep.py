"""A sweep: one function at every point of a grid, on many processes or machines.

What comes out depends on the points alone, not on who computes them or in which order:
every point has a key and a seed, both made from its own content.
"""

import hashlib
import itertools
import json
import logging
import math
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dayrate.errors import DayrateError, InvalidInput, MissingExtra

__all__ = [
    "Axis",
    "WorkerLost",
    "Workers",
    "combinations",
    "content_key",
    "content_seed",
    "parse_axis",
    "run_points",
]

BACKENDS = ("local", "ray", "dask")
_MOST_POINTS = 100_000
_EXACT = 1e-9
_KNOCK_S = 10.0


@dataclass(frozen=True, slots=True)
class Axis:
    """A name and the values it takes, as text."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workers:
    """Who computes: processes here (local), or a cluster of Ray or Dask.

    Parameters
    ----------
    backend : str
        One of local, ray and dask.
    jobs : int, optional
        Points at once; as many as there are processors, unless given. [1]
    address : str, optional
        Of a running cluster; without one, ray and dask start here.
    """

    backend: str = "local"
    jobs: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise InvalidInput(
                f"The backend is {self.backend!r}; give one of {', '.join(BACKENDS)}."
            )
        if self.jobs is not None and self.jobs < 1:
            raise InvalidInput(f"{self.jobs} jobs compute nothing; give 1 or more.")
        if self.address is not None and self.backend == "local":
            raise InvalidInput(
                "An address is that of a cluster. Add --backend ray or --backend dask."
            )

    @property
    def count(self) -> int:
        """Points at once. [1]"""
        return self.jobs or os.cpu_count() or 1


class WorkerLost(DayrateError):
    """A process that computed points is gone, and what it was computing with it."""

    def __init__(self) -> None:
        super().__init__(
            "A process that computed points died, mostly of too little memory. Rows "
            "in --results are kept: go on with --resume and fewer --jobs."
        )


def parse_axis(text: str) -> Axis:
    """Read ``name=a,b,c``, ``name=from:to:step`` or ``name=from:to:xfactor``.

    Both ends of a range count; without a step it is 1.

    Examples
    --------
    >>> parse_axis("replicas=2,4,8").values
    ('2', '4', '8')
    >>> parse_axis("max-num-seqs=64:512:x2").values
    ('64', '128', '256', '512')
    >>> parse_axis("thin=0.1:0.3:0.1").values
    ('0.1', '0.2', '0.3')
    """
    name, equals, listed = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    if not equals or not name:
        raise InvalidInput(
            f"{text!r} is no axis of a sweep; write name=2,4,8, name=1:5:1 or "
            "name=64:512:x2."
        )
    values: list[str] = []
    for part in listed.split(","):
        ends = part.split(":")
        numbers = len(ends) in {2, 3} and all(_is_number(x.lstrip("x")) for x in ends)
        values += _range(text, ends) if numbers else [part.strip()]
    if not all(values):
        raise InvalidInput(f"{text!r} has an empty value; leave out what is not meant.")
    if len(set(values)) < len(values):
        raise InvalidInput(f"{text!r} has a value twice; keep one.")
    return Axis(name, tuple(values))


def combinations(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Every combination of the values, the last axis fastest.

    >>> combinations([Axis("a", ("1", "2")), Axis("b", ("x",))])
    [{'a': '1', 'b': 'x'}, {'a': '2', 'b': 'x'}]
    """
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise InvalidInput(f"An axis is given twice: {', '.join(sorted(names))}.")
    count = math.prod(len(axis.values) for axis in axes)
    if count > _MOST_POINTS:
        raise InvalidInput(
            f"{count} points are more than one sweep takes ({_MOST_POINTS}). "
            "Give fewer values."
        )
    rows = itertools.product(*(axis.values for axis in axes))
    return [dict(zip(names, row, strict=True)) for row in rows]


def content_key(content: Mapping[str, Any]) -> str:
    """Name a point by its content, in 16 hexadecimal digits.

    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    True
    """
    return _digest(content).hex()[:16]


def content_seed(seed: int, content: Mapping[str, Any]) -> int:
    """Derive the seed of a point from its content and the seed of the sweep.

    >>> content_seed(0, {"isl": 100}) != content_seed(1, {"isl": 100})
    True
    """
    words = np.frombuffer(_digest(content), dtype="<u4").tolist()
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def run_points(
    function: Callable[[Any], Any], jobs: Sequence[Any], workers: Workers
) -> Generator[tuple[int, Any]]:
    """Yield the place and the result of each job, in the order in which they end.

    ``function`` and the jobs must pickle. Closing the generator stops the rest.

    Raises
    ------
    WorkerLost
        A process died; what it was computing is unknown.
    """
    if not jobs:
        return
    if workers.backend == "local" and min(workers.count, len(jobs)) == 1:
        yield from ((i, function(job)) for i, job in enumerate(jobs))
        return
    joblib = _import("joblib", "Several processes")
    where = os.getcwd()
    calls = [joblib.delayed(_at)(where, function, i, j) for i, j in enumerate(jobs)]
    with ExitStack() as stack:
        backend = stack.enter_context(_started(workers, min(workers.count, len(jobs))))
        stack.enter_context(joblib.parallel_config(**backend))
        if workers.backend == "ray":  # gives a list back, so a few at a time
            step = 2 * workers.count
            for first in range(0, len(calls), step):
                yield from joblib.Parallel(batch_size=1)(calls[first : first + step])
            return
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        yield from _until_closed(parallel(calls))


def _until_closed(found: Generator[Any]) -> Generator[Any]:
    """Pass on what is found; what is cancelled in the end is no surprise."""
    try:
        for item in found:  # noqa: UP028 - closed below, where warnings are off
            yield item
    except BrokenExecutor as e:
        if type(e).__name__ != "TerminatedWorkerError":
            raise  # a job that does not pickle, a bug of ours
        raise WorkerLost from e
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.close()


def _at(
    where: str, function: Callable[[Any], Any], place: int, job: Any
) -> tuple[int, Any]:
    """Call in the folder of the caller, where there is one: paths mean the same."""
    if os.path.isdir(where) and os.getcwd() != where:
        os.chdir(where)
    return place, function(job)


@contextmanager
def _started(workers: Workers, count: int) -> Iterator[dict[str, Any]]:
    """Start or find who computes, and end what was started."""
    if workers.backend == "local":
        loky = _import("joblib.externals.loky", "Several processes")
        joblib = _import("joblib", "Several processes")
        here = {"backend": "loky", "n_jobs": count, "inner_max_num_threads": 1}
        try:
            with _interrupted_later(), joblib.parallel_config(**here):
                joblib.Parallel(batch_size=1)([joblib.delayed(int)()] * count)
            yield here
        finally:
            loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
    elif workers.backend == "dask":
        yield from _dask(workers, count)
    else:
        yield from _ray(workers, count)


def _check_reachable(workers: Workers) -> None:
    """Knock at the door of a cluster: its own libraries wait for minutes."""
    host, colon, port = (workers.address or "").rpartition("://")[2].rpartition(":")
    if not colon:
        return  # a name such as auto, which they look up
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
    except (OSError, ValueError, OverflowError) as e:
        raise InvalidInput(_unreachable(workers)) from e


def _dask(workers: Workers, count: int) -> Iterator[dict[str, Any]]:
    distributed = _import("distributed", "Dask")
    _check_reachable(workers)
    with ExitStack() as stack:
        where = workers.address
        if where is None:
            with _children_deaf():
                cluster = distributed.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            where = stack.enter_context(cluster)
        try:
            stack.enter_context(distributed.Client(where, timeout="30s"))
        except (OSError, ValueError) as e:
            raise InvalidInput(_unreachable(workers)) from e
        jobs = -1 if workers.jobs is None else workers.jobs
        yield {"backend": "dask", "n_jobs": jobs}


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start now never hear it, and this one ends them.

    Where signals cannot be held back nothing is.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _children_deaf() -> Iterator[None]:
    """Let processes that start now leave Ctrl-C to this one, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ray(workers: Workers, count: int) -> Iterator[dict[str, Any]]:
    ray = _import("ray", "Ray")
    register = _import("ray.util.joblib", "Ray").register_ray
    _check_reachable(workers)
    theirs = ray.is_initialized()
    if not theirs:
        size = {"num_cpus": count, "include_dashboard": False}
        here = workers.address is None
        try:
            ray.init(
                address=workers.address,
                log_to_driver=False,
                logging_level="ERROR",
                **(size if here else {}),
            )
        except (ConnectionError, ValueError) as e:
            raise InvalidInput(_unreachable(workers)) from e
    try:
        register()
        jobs = count if workers.address is None else workers.jobs or -1
        yield {"backend": "ray", "n_jobs": jobs}
    finally:
        if not theirs:
            ray.shutdown()


def _unreachable(workers: Workers) -> str:
    return (
        f"There is no {workers.backend} cluster at {workers.address}. Start one, "
        "correct --address, or leave it out to compute here."
    )


def _import(module: str, what: str) -> Any:
    import importlib  # noqa: PLC0415

    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise MissingExtra(what=what, extra="scale") from e


def _range(text: str, ends: Sequence[str]) -> Iterable[str]:
    first, last = float(ends[0]), float(ends[1])
    step = ends[2] if len(ends) == 3 else "1"
    times = step.startswith("x")
    by = float(step.lstrip("x"))
    wrong = by <= 1 or first <= 0 if times else by <= 0
    if wrong or not first <= last < math.inf:
        raise InvalidInput(
            f"{text!r} is no range; write from:to:step with a step above 0, or "
            "from:to:xfactor with a factor above 1 and from above 0."
        )
    span = math.log(last / first, by) if times else (last - first) / by
    if span > _MOST_POINTS:
        raise InvalidInput(f"{text!r} has more than {_MOST_POINTS} values; widen it.")
    places = range(math.floor(span + _EXACT) + 1)
    return [f"{first * by**i if times else first + i * by:.12g}" for i in places]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _digest(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()
