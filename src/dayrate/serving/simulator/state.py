"""Places of a replica's numbers, and the sequences that the event loop works on."""

from typing import Any, NamedTuple, TypeAlias

__all__ = ["Law", "Requests", "State", "Work"]

# status of a request
WAITING, RUNNING, DONE, TOO_LONG, REJECTED, TIMED_OUT = 0, 1, 2, 3, 4, 5

# places in State.n: limits,
MAX_SEQS, MAX_TOKENS, BLOCK, TOTAL, MAX_WAITING = 0, 1, 2, 3, 4
CHUNKED, BY_RANK, SHARING = 5, 6, 7
# what there is now,
NEXT, HEAD, TAIL, N_WAITING, N_RUNNING, N_DECODING = 8, 9, 10, 11, 12, 13
FREE, CACHED, STEP, NEXT_END, STACKED, HEAPED = 14, 15, 16, 17, 18, 19
OLDEST, NEWEST = 20, 21
# and the step that is being put together
PARTIAL, COMPUTED, PREFILL, ENDING, BLOCKED, PREEMPTED = 22, 23, 24, 25, 26, 27
ITERATIONS, SAMPLE, DROPPED, N_DONE, LAST, BY_PREFIX = 28, 29, 30, 31, 32, 33
CACHING, REMAINS, LAST_REMAINS = 34, 35, 36
N_PLACES = 37

# places in State.x
NOW, CONTEXT, PAIRS, READ, BUSY_S, TIMEOUT_S, SAMPLE_AT, SAMPLE_S = range(8)
X_PLACES = 8

# places in Law.numbers
DECODE_FIXED, PREFILL_FIXED, ATTENDED_STEP, READ_STEP, RANKS = range(5)

#: A replica counts as overloaded beside the least loaded one, and prefixes stop
#: counting, from this many requests more and this many times its load.
UNBALANCED, UNBALANCED_TIMES = 32, 1.5

# lists in the interpreter, arrays where compiled
Floats: TypeAlias = Any
Ints: TypeAlias = Any


class Requests(NamedTuple):
    """What is asked, by request; ``follows`` chains the requests of a replica."""

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    rank: Ints  # service order: lower first
    follows: Ints
    cached_tokens: Ints  # of the prompt, found wherever it runs first
    block_start: Ints  # of the hashed prompt blocks, one more than requests
    block_id: Ints


class Law(NamedTuple):
    """Tables of `law.StepLaw`."""

    dense_s: Floats
    logits_s: Floats
    knot_tokens: Floats
    knot_s: Floats
    slope_s: Floats
    attended_tokens: Floats
    read_frac: Floats
    prefill_s: Floats
    numbers: Floats


class Work(NamedTuple):
    """What becomes of each request."""

    start_s: Floats
    first_s: Floats
    done_s: Floats
    status: Ints
    preempted: Ints
    hit_tokens: Ints
    need: Ints  # tokens to compute before its next token
    left: Ints  # output tokens still to come
    due: Ints  # number of its last decode step
    chain: Ints  # next in the queue, or among those that end together
    shared: Ints  # blocks it shares; of a preempted request, those not yet evicted
    held: Ints  # by prompt block: whether it is such a block


class State(NamedTuple):
    """One replica."""

    n: Ints
    x: Floats
    ends: Ints  # ring: first of the sequences that end with a step
    grows: Ints  # ring of a block: sequences that take a new block at a step
    stack: Ints  # running requests in order of admission, some of them gone
    heap: Ints  # requests by rank: preempted, or all where ranks count
    batch: Ints  # prompts that are done with this step
    users: Ints  # by block id: -1 absent, else sequences that use it
    older: Ints  # unused cached blocks, by age
    newer: Ints
    samples: Floats  # flat rows: running, waiting, used, cached
