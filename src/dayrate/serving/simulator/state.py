"""Places of a replica's numbers, and the sequences that the event loop works on."""

from typing import Any, NamedTuple, TypeAlias

__all__ = ["Fate", "Law", "Requests", "State"]

# status of a request
WAITING, RUNNING, DONE, TOO_LONG, REJECTED, TIMED_OUT, CANCELLED = 0, 1, 2, 3, 4, 5, 6

# places in State.n: limits,
MAX_SEQS, MAX_TOKENS, BLOCK, TOTAL, MAX_WAITING = 0, 1, 2, 3, 4
CHUNKED, BY_RANK, SHARING, CACHING, CANCELLING, BY_PREFIX = 5, 6, 7, 8, 9, 10
# how requests follow one another (0: as ``q.follows`` says), rows and tokens of a
# sequence per decode step, blocks' lookahead in tokens,
STRIDE, ROWS, PACE, LOOKAHEAD = 11, 12, 13, 14
# what there is now,
NEXT, LAST, HEAD, FRESH, AGAIN, N_WAITING, N_RUNNING, N_DECODING = range(15, 23)
FREE, CACHED, STEP, CLOCK, NEXT_END, HEAPED, CANCELS = range(23, 30)
OLDEST, NEWEST, REMAINS, LAST_REMAINS, FIRST_IN, LAST_IN = range(30, 36)
SPARE, SLOTS = 36, 37
# the step that is being put together, and counts
PARTIAL, COMPUTED, PREFILL, ENDING, PREEMPTED = range(38, 43)
ITERATIONS, SAMPLE, DROPPED, N_DONE = range(43, 47)
# whether requests wait for the end of others, and how many are on their way
CLOSED, COMING = 47, 48
# the largest part of a prompt in the step that is being put together
LONGEST = 49
N_PLACES = 50

# places in State.x
NOW, CONTEXT, PAIRS, READ, BUSY_S, TIMEOUT_S, SAMPLE_AT, SAMPLE_S = range(8)
CACHED_FRAC, TOKENS_PER_STEP = 8, 9
LONGEST_PAIRS, LONGEST_READ = 10, 11
X_PLACES = 12

# places in Law.numbers
DECODE_FIXED, PREFILL_FIXED, ATTENDED_STEP, READ_STEP, RANKS, DATA_RANKS = range(6)

#: Tokens of a decode step are counted in these parts of one, so that they add up alike
#: however many steps are taken at once.
PACE_BITS = 20

#: A replica counts as overloaded beside the least loaded one, and prefixes stop
#: counting, from this many requests more and this many times its load.
UNBALANCED, UNBALANCED_TIMES = 32, 1.5

# lists in the interpreter, arrays where compiled
Floats: TypeAlias = Any
Ints: TypeAlias = Any


class Requests(NamedTuple):
    """What is asked, by request; what nobody asks for is empty."""

    arrival_s: Floats  # infinite until it is known, where it comes after another
    input_tokens: Ints
    output_tokens: Ints
    rank: Ints  # service order: lower first
    cancel_s: Floats
    follows: Ints  # the next request of the same replica
    then: Ints  # who comes after its end; empty where nobody waits for another's
    think_s: Floats  # how long after
    block_start: Ints  # of the hashed prompt blocks, one more than requests
    block_answer: Ints  # where those that the answer fills begin
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
    draft_s: Floats  # of a draft model, by sequences; empty without one
    draft_prompt_s: Floats  # by prompt tokens
    routed_s: Floats  # of experts, by tokens; empty where ranks do not share them
    numbers: Floats


class Fate(NamedTuple):
    """What becomes of each request."""

    start_s: Floats
    first_s: Floats
    done_s: Floats
    status: Ints
    preempted: Ints
    hit_tokens: Ints
    slot: Ints  # where somebody may need to find it, else empty
    gone_s: Floats  # when it was cancelled; empty where nobody cancels
    held: Ints  # by prompt block: whether the request uses it as a shared one


class State(NamedTuple):
    """One replica, or arrays of all replicas; slots hold requests that have started."""

    n: Ints
    x: Floats
    request: Ints  # by slot
    need: Ints  # tokens to compute before its next token
    left: Ints  # output tokens still to come
    due: Ints  # the clock at its last token
    chain: Ints  # next spare slot, next preempted, or next that ends at the same time
    shared: Ints  # blocks it shares; of a preempted request, those not yet evicted
    sooner: Ints  # running slots by admission; preempted ones with such blocks
    later: Ints
    ends: Ints  # ring: first of the slots that end at a time of the clock
    grows: Ints  # ring of a block: sequences that take a new block at such a time
    batch: Ints  # prompts that are done with this step
    heap: Ints  # requests by rank, where ranks count
    cancels: Ints  # requests by the time at which they are cancelled
    coming: Ints  # requests by arrival, where some wait for the end of others
    users: Ints  # by block id: -1 absent, else sequences that use it
    older: Ints  # unused cached blocks, by age
    newer: Ints
    samples: Floats  # flat rows: running, waiting, used, cached
