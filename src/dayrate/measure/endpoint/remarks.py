"""What a reader of a load test must know before believing its figures."""

from collections.abc import Iterator

from dayrate.measure.endpoint.record import State
from dayrate.measure.endpoint.result import Summary
from dayrate.measure.endpoint.run import Run

__all__ = ["remarks"]

_FEW = 20  # answers, below which p95 is the slowest but one
_OFF_FRAC = 0.01
_LATE_S = 0.01
_LATE_FRAC = 0.05  # of the first token's time


def remarks(run: Run, summary: Summary) -> Iterator[str]:
    """Yield what is unusual, one sentence each."""
    yield from run.served.notes
    yield from run.sizes.notes
    if not summary.done:
        return
    if not run.served.has_usage:
        yield (
            "the server does not count tokens: chunks of the stream are counted, and "
            "a chunk may hold several"
        )
    yield from _lengths(run, summary)
    cached = summary.cached_frac or 0.0
    if cached > _OFF_FRAC:
        yield f"{cached:.0%} of the input tokens came from the server's prefix cache"
    if summary.retries:
        yield "latencies start at the attempt that was answered, not at the first"
    late_s, first_s = summary.late.p95_s or 0.0, summary.ttft.p50_s or 0.0
    if late_s > max(_LATE_S, _LATE_FRAC * first_s):
        yield (
            f"requests left up to {late_s * 1e3:.0f} ms late (p95): this client is too "
            "slow for the rate"
        )
    if summary.done < _FEW:
        yield f"the high quantiles are of {summary.done} answers only"


def _lengths(run: Run, summary: Summary) -> Iterator[str]:
    done = [r for r in run.records if r.state is State.DONE]
    asked_in = sum(r.job.input_tokens for r in done) / len(done)
    asked_out = sum(r.job.output_tokens for r in done) / len(done)
    got_in, got_out = (
        summary.mean_input_tokens or 0.0,
        summary.mean_output_tokens or 0.0,
    )
    if abs(got_in - asked_in) > _OFF_FRAC * asked_in:
        yield (
            f"the server counts {got_in:.0f} tokens in prompts made for {asked_in:.0f}"
        )
    if got_out < (1 - _OFF_FRAC) * asked_out:
        yield (
            f"answers have {got_out:.0f} tokens where {asked_out:.0f} were asked for: "
            "the model ended them"
        )
    chunks = sum(len(r.token_s) for r in done) / len(done)
    if chunks < 0.9 * got_out:
        yield "the server puts several tokens into a chunk: gaps are between chunks"
