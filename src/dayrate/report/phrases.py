"""Sentences of the layers below, which know no languages, in the reader's own."""

import functools
import re
from collections.abc import Mapping

from dayrate.report.i18n import Words, mark

__all__ = ["PHRASES", "phrase"]

#: As written below, with placeholders where a value stands.
PHRASES = (
    mark("the scenario"),
    mark("given by the user"),
    mark("none is counted unless given"),
    mark("every request has the mean length"),
    mark("the day shape {name} is assumed"),
    mark("{side} lengths of {name} scaled from a mean of {was} to {now} tokens"),
    mark("{late} rows were out of order of arrival and were sorted"),
    mark("{n} of {rows} rows dropped: {why}"),
    mark("arrivals spread within the {tick} s that share a stamp"),
    mark("Poisson arrivals at the busiest hour's mean rate"),
    mark("lengths scaled to the means asked for"),
    mark("hash_ids left out, since prompts were scaled"),
    mark("prefix blocks of {size} tokens: there would be too many smaller ones"),
    mark("turns of a session come when they are drawn, answered or not"),
    mark("the next turn of a session comes think time after the answer has ended"),
    mark("turns of a session stay on the replica that took the first"),
    mark("Multi-token prediction layers are left out."),
    mark("The config names no number format: BF16 is assumed."),
    mark(
        "Read with the head that fills in masked words; the embedding of segments "
        "belongs to that of tokens."
    ),
    mark("replicas of each hour, times the accelerators of one"),
    mark("a widely rented accelerator"),
    mark("no lengths were given"),
    mark("the format the checkpoint is published in"),
    mark("the most used engine"),
    mark("the default of engines, the format of the activations"),
    mark("{engine}'s default"),
    mark("vLLM V1's default for an API server on such a device"),
    mark("kept free for failures and roll-outs"),
    mark("all parts at their full watts"),
    mark(
        "kernel timings and published servers with {engine}: of this accelerator, its "
        "generation, or the default"
    ),
    mark("`dayrate measure calibrate` on {date} with {engine}"),
    mark("as `dayrate measure calibrate` ran it"),
    mark("from its config: keys and values of all layers"),
    mark("no target: none was given that can be met"),
    mark("the split that needs the fewest accelerator-hours within the targets"),
    mark("mean demand over capacity"),
    mark("rate of one replica at that batch, by Little's law over its step times"),
    mark("the seller bills whole instances"),
    mark("people: set {flags}"),
    mark("software licences and support: set {flags}"),
    mark("data (licences, labelling, evaluation): set {flags}"),
    mark("storage: set {flags}"),
    mark("traffic to users: set {flags}"),
    mark("electricity, cooling, hosts and their network: inside the seller's price"),
    mark("taxes, insurance, and machines for development and tests"),
    mark("start-up, updates and failures of replicas, beyond the head-room"),
    mark("training, fine-tuning and evaluation of the model"),
    mark("what the source does not say is unknown here, not zero"),
    mark("the machine itself: set {flags}"),
    mark("place in a data centre, maintenance"),
    mark("a price without commitment"),
    mark("no token of this kind is served"),
    mark("split by marginal work"),
    mark("steady state of one replica at the busiest ten minutes of the day"),
    mark("replica time that one more token of this kind takes at the peak"),
    mark("sequences decoding together at capacity; {what} allows no more"),
    mark("mean of {source}"),
    mark(
        "only {share} of the capacity works: unit costs are mostly idle time; see "
        "--basis used, or share the machines"
    ),
    mark(
        "the {pricing} list price ({source}) is above today's on-demand median: it is "
        "older, or from dearer sellers; ask for an offer and give it with "
        "--gpu-hour-price"
    ),
    mark(
        "errors of {n} published measurements ({regime}): {source}; widened {factor} "
        "times, outside the data: {kinds}"
    ),
    mark("errors of {n} published measurements ({regime}): {source}"),
    mark("the fleet sized at either end of the interval of a replica's capacity"),
    mark("from its config and the split"),
    mark("from its config and the lengths"),
    mark("activations, logits, runtime"),
    mark("operators that arithmetic bounds: FLOP over peak and efficiency"),
    mark("operators that bandwidth bounds: bytes over bandwidth and efficiency"),
    mark("exchange between the accelerators of the replica"),
    mark("launches of kernels and the engine's own work"),
    mark("updates and failures of replicas"),
    mark("intervals: they are of the closed form"),
    mark("autoscaling is not in the closed form; --simulate follows it"),
    mark("requests one by one over the day, simulated"),
    mark("replicas as the closed form sizes them for the busiest ten minutes"),
    mark("most held at once in the simulated day"),
    mark("replicas serving, starting or ending in the simulated day"),
    mark(
        "Poisson arrivals by the hours of the day shape {name}, with its busiest ten "
        "minutes"
    ),
    mark(
        "a start takes {n} s by estimate: a machine, an engine and the weights from a "
        "disk; --startup-delay sets it"
    ),
)


def phrase(text: str, words: Words) -> str:
    """Translate a sentence; one that nobody translated comes back as it is.

    Examples
    --------
    >>> from dayrate.report.i18n import words
    >>> phrase("the day shape flat is assumed", words("zh"))
    '日内负载曲线 flat 为假定'
    """
    for message, pattern in _patterns().items():
        found = pattern.fullmatch(text)
        if found:
            return words(message).format(**_values(found, words))
    return words(text)


def _values(found: re.Match[str], _: Words) -> Mapping[str, str]:
    values = found.groupdict()
    if "flags" in values:
        flags = re.findall(r"--[\w-]+", values["flags"])
        values["flags"] = _(" and ").join(flags)
    return values


@functools.cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {message: _pattern(message) for message in PHRASES if "{" in message}


def _pattern(message: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", message)
    texts = (
        re.escape(t) if i % 2 == 0 else f"(?P<{t}>.+)" for i, t in enumerate(parts)
    )
    return re.compile("".join(texts))
