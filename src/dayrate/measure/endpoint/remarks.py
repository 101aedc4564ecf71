"""What a reader of a load test must know before believing its figures."""

from collections.abc import Iterator

from dayrate.measure.endpoint.note import Note, mark
from dayrate.measure.endpoint.record import State
from dayrate.measure.endpoint.result import Summary
from dayrate.measure.endpoint.run import Run

__all__ = ["remarks"]

_FEW = 20  # answers, below which p95 is the slowest but one
_OFF_FRAC = 0.01
_LATE_S = 0.01
_LATE_FRAC = 0.05  # of the first token's time


def remarks(run: Run, summary: Summary) -> Iterator[Note]:
    """Yield what is unusual, one sentence each."""
    yield from map(Note, (*run.served.notes, *run.sizes.notes))
    if not summary.done:
        return
    if not run.served.has_usage:
        yield Note(
            mark(
                "the server does not count tokens: chunks of the stream are counted, "
                "and a chunk may hold several"
            )
        )
    yield from _lengths(run, summary)
    cached = summary.cached_frac or 0.0
    if cached > _OFF_FRAC:
        text = mark("{share} of the input tokens came from the server's prefix cache")
        yield Note(text, {"share": f"{cached:.0%}"})
    if summary.retries:
        yield Note(
            mark("latencies start at the attempt that was answered, not at the first")
        )
    late_s, first_s = summary.late.p95_s or 0.0, summary.ttft.p50_s or 0.0
    if late_s > max(_LATE_S, _LATE_FRAC * first_s):
        text = mark(
            "requests left up to {ms} ms late (p95): this client is too slow for the "
            "rate"
        )
        yield Note(text, {"ms": round(late_s * 1e3)})
    if summary.done < _FEW:
        text = mark("the high quantiles are of {n} answers only")
        yield Note(text, {"n": summary.done})


def _lengths(run: Run, summary: Summary) -> Iterator[Note]:
    done = [r for r in run.records if r.state is State.DONE]
    asked_in = sum(r.job.input_tokens for r in done) / len(done)
    asked_out = sum(r.job.output_tokens for r in done) / len(done)
    got_in, got_out = (
        summary.mean_input_tokens or 0.0,
        summary.mean_output_tokens or 0.0,
    )
    if abs(got_in - asked_in) > _OFF_FRAC * asked_in:
        text = mark("the server counts {got} tokens in prompts made for {asked}")
        yield Note(text, {"got": round(got_in), "asked": round(asked_in)})
    if got_out < (1 - _OFF_FRAC) * asked_out:
        text = mark(
            "answers have {got} tokens where {asked} were asked for: the model ended "
            "them"
        )
        yield Note(text, {"got": round(got_out), "asked": round(asked_out)})
    chunks = sum(len(r.token_s) for r in done) / len(done)
    if chunks < 0.9 * got_out:
        yield Note(
            mark("the server puts several tokens into a chunk: gaps are between chunks")
        )
