"""A load test as text: what became of requests, latencies, throughput, prediction."""

import math
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from dayrate.measure.endpoint.compare import Comparison
from dayrate.measure.endpoint.plan import ClosedLoop, OpenLoop
from dayrate.measure.endpoint.record import Fault, State
from dayrate.measure.endpoint.result import Result
from dayrate.measure.endpoint.run import Run, Stop
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words, mark
from dayrate.report.latency import latency_table
from dayrate.report.numbers import figure, percent

__all__ = ["render_load"]

_STATES: Mapping[State, str] = {
    State.DONE: mark("answered"),
    State.FAILED: mark("failed"),
    State.CANCELLED: mark("cancelled on their way"),
    State.TOO_LONG: mark("longer than the context: not sent"),
}
_FAULTS: Mapping[Fault, str] = {
    Fault.CONNECT: mark("no connection"),
    Fault.STATUS: mark("refused by an HTTP status"),
    Fault.REDIRECT: mark("redirected"),
    Fault.NO_STREAM: mark("not streamed"),
    Fault.MALFORMED: mark("events that cannot be read"),
    Fault.SERVER: mark("an error in the stream"),
    Fault.CLOSED: mark("closed before the end"),
    Fault.EMPTY: mark("without a token"),
    Fault.TIMEOUT: mark("not in time"),
}
_STOPS: Mapping[Stop, str] = {
    Stop.FINISHED: mark("all requests were sent"),
    Stop.SECONDS: mark("the time was up (--max-seconds)"),
    Stop.REQUESTS: mark("retries used up the budget (--max-requests)"),
    Stop.INTERRUPTED: mark("interrupted"),
    Stop.DEAD: mark("the server was gone"),
}
_METRICS: Mapping[str, str] = {
    "requests_per_s": mark("requests per second"),
    "output_tokens_per_s": mark("output tokens per second"),
    "total_tokens_per_s": mark("tokens per second, input and output"),
    "ttft_ms": mark("time to first token, mean, ms"),
    "tpot_ms": mark("time per output token, mean, ms"),
    "e2e_latency_s": mark("whole answer, mean, s"),
}


def render_load(result: Result, comparison: Comparison, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Load test"))
    canvas.rows(_asked(result.run, _))
    canvas.heading(_("Requests"))
    canvas.rows(_requests(result, _))
    if result.summary.done:
        canvas.heading(_("Latency"))
        canvas.write(_latencies(result, _))
        canvas.heading(_("Throughput"))
        canvas.rows(_throughput(result, _))
    if comparison.rows:
        canvas.heading(_("Prediction from the configuration alone"))
        canvas.write(_compared(comparison, _))
    notes = [note.said(_(note.text)) for note in result.notes]
    if comparison.why_not:
        notes.append(_("no prediction: {why}").format(why=_(comparison.why_not)))
    if notes:
        canvas.heading(_("Notes"))
        for note in notes:
            canvas.bullet(note)
    return canvas.text()


def _asked(run: Run, _: Words) -> list[tuple[str, ...]]:
    served, sizes = run.served, run.sizes
    engine = f"{served.engine} {served.engine_version}".strip()
    lengths = _("{input} in, {output} out (means)").format(
        input=figure(float(sizes.input_tokens.mean())),
        output=figure(float(sizes.output_tokens.mean())),
    )
    name = "" if sizes.name == "fixed" else sizes.name
    rows: list[tuple[str, ...]] = [
        (_("model on the server"), served.dialect.model, engine),
        (_("call"), served.dialect.api.path),
        (_("tokens per request"), lengths, name),
        (_("requests leave"), _pace(run, _)),
        (_("tokens of prompts counted by"), served.prompter.tokenizer),
    ]
    if run.ask.shared_prefix_tokens:
        shared = _("{n} tokens").format(n=run.ask.shared_prefix_tokens)
        rows.append((_("all prompts begin with"), shared))
    return rows


def _pace(run: Run, _: Words) -> str:
    pace = run.ask.pace
    if isinstance(pace, ClosedLoop):
        return _("when one is answered, {n} at once").format(n=pace.concurrency)
    if isinstance(pace, OpenLoop):
        if math.isinf(pace.requests_per_s):
            return _("all at once")
        text = _("at {rate}/s, burstiness {b}")
        return text.format(rate=figure(pace.requests_per_s), b=figure(pace.burstiness))
    text = _("when the trace says, {n} times as fast")
    return text.format(n=figure(pace.speedup))


def _requests(result: Result, _: Words) -> list[tuple[str, ...]]:
    s, run = result.summary, result.run
    rows: list[tuple[str, ...]] = [(_("planned"), figure(run.planned))]
    for state, label in _STATES.items():
        count = s.by_state[state.value]
        if count or state is State.DONE:
            rows.append((_(label), figure(count)))
    for fault, label in _FAULTS.items():
        if fault.value in s.faults:
            rows.append((f"  {_(label)}", figure(s.faults[fault.value])))
    if s.retries:
        rows.append((_("further attempts"), figure(s.retries)))
    rows.append((_("sent in all, with warm-up"), figure(run.sent)))
    rows.append((_("ended because"), _(_STOPS[run.stop])))
    return rows


def _latencies(result: Result, _: Words) -> Table:
    s = result.summary
    rows = (
        (_("time to first token"), s.ttft),
        (_("time per output token"), s.tpot),
        (_("between chunks"), s.gap),
        (_("whole answer"), s.e2e),
    )
    return latency_table(rows, _)


def _throughput(result: Result, _: Words) -> list[tuple[str, ...]]:
    s = result.summary
    targets = [
        f"{name} {figure(limit * 1e3)} ms"
        for name, limit in (
            ("TTFT", result.targets.ttft_s),
            ("TPOT", result.targets.tpot_s),
        )
        if math.isfinite(limit)
    ]
    rows: list[tuple[str, ...]] = [
        (_("from first request to last token"), f"{figure(s.duration_s)} s"),
        (_("answered per second"), f"{figure(s.requests_per_s)}/s"),
        (_("input tokens per second"), figure(s.input_tokens_per_s)),
        (_("output tokens per second"), figure(s.output_tokens_per_s)),
        (_("requests in flight, mean"), figure(s.mean_concurrency)),
    ]
    if targets and s.good_frac is not None:
        good = f"{figure(s.good_requests_per_s)}/s"
        rows.append(
            (_("within the targets"), percent(s.good_frac), good, ", ".join(targets))
        )
    if s.cached_frac is not None:
        rows.append((_("input tokens found cached"), percent(s.cached_frac)))
    return rows


def _compared(comparison: Comparison, _: Words) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    heads = (_("measured"), _("predicted"), _("predicted / measured"))
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(t, style="dim") for t in heads))
    for row in comparison.rows:
        cells = (figure(row.measured), figure(row.predicted), f"{row.ratio:.2f}")
        table.add_row(Text(f"  {_(_METRICS[row.metric])}"), *cells)
    return table
