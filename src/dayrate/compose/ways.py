"""Ways to serve beyond one pool of plain replicas: drafts, separate prefill, ranks."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dayrate import catalog
from dayrate.errors import InvalidInput
from dayrate.serving.replica import Replica
from dayrate.serving.simulator.disaggregated import Pools
from dayrate.serving.simulator.inputs import RequestList
from dayrate.serving.simulator.law import Drafts

__all__ = ["Ways", "cut_alike"]


@dataclass(frozen=True, slots=True)
class Ways:
    """How a replica guesses ahead, in which order it serves, and who computes prompts.

    Parameters
    ----------
    by_priority : bool
        Serve by the priority that a trace gives, lowest first.
    draft_tokens : int
        Tokens guessed for each sequence and step; 0 guesses none. [token]
    accepted_frac : float or None
        Probability that a guess is right, given that those before it are. [1]
    draft_model : str or None
        What guesses; nothing where guessing costs no time.
    prefill_replicas : int
        Replicas that compute prompts only; 0 lets every replica do all. [1]
    transfer_bytes_per_s : float or None
        Out of each accelerator's network port; by default that of its server. [B/s]
    transfer_latency_s : float or None
        Before the first byte arrives; by default that of the network. [s]
    """

    by_priority: bool = False
    draft_tokens: int = 0
    accepted_frac: float | None = None
    draft_model: str | None = None
    prefill_replicas: int = 0
    transfer_bytes_per_s: float | None = None
    transfer_latency_s: float | None = None

    def drafts(self, replica: Replica) -> Drafts | None:
        """Say how a replica guesses ahead; None where it does not."""
        if self.draft_tokens == 0:
            if self.draft_model is not None or self.accepted_frac is not None:
                raise InvalidInput(
                    "A draft model or an acceptance rate is given and no number of "
                    "drafts. Add --num-speculative-tokens."
                )
            return None
        if self.accepted_frac is None:
            raise InvalidInput(
                "How many drafts are right depends on the text and is not known. Give "
                "--acceptance-rate, the probability that the next draft token is."
            )
        small = None
        if self.draft_model is not None:
            small = dataclasses.replace(replica, model=catalog.model(self.draft_model))
        return Drafts(self.draft_tokens, self.accepted_frac, small)

    def pools(self, replica: Replica, count: int, context_tokens: float) -> Pools:
        """Say which replicas compute prompts, and how long a cache takes from them."""
        each = replica.memory(context_tokens).sequence_bytes / context_tokens
        per_s = self.transfer_bytes_per_s
        per_s = float(replica.machine.node_bytes_per_s) if per_s is None else per_s
        latency = self.transfer_latency_s
        latency = float(replica.machine.node_latency_s) if latency is None else latency
        if not per_s > 0:
            raise InvalidInput(
                f"The cache moves at {per_s:g} B/s. Give --kv-transfer-bandwidth above "
                "0."
            )
        return Pools(self.prefill_replicas, count, float(each) / per_s, latency)

    def ordered(self, requests: RequestList) -> RequestList:
        """Leave priorities out, or see that there are some."""
        if not self.by_priority:
            return dataclasses.replace(requests, priority=None)
        if requests.priority is None:
            raise InvalidInput(
                "--scheduling-policy priority needs requests with a priority. Give a "
                "trace with that column (lower goes first), or take fcfs."
            )
        return requests


def cut_alike(requests: RequestList, tokens: np.ndarray, size: int) -> RequestList:
    """Cut prefix blocks of any size into blocks of one size.

    Two prompts share such a block when they share all that it and those before it hold,
    so its id is that of the last block it reaches into, with its place.
    """
    offsets = np.asarray(requests.block_offsets)
    ids = np.unique(np.asarray(requests.block_ids), return_inverse=True)[1]
    ends = np.cumsum(tokens)
    begin = np.concatenate([[0], ends])[offsets[:-1]]
    whole = np.concatenate([[0], ends])[offsets[1:]] - begin
    counts = np.minimum(whole, np.asarray(requests.input_tokens)) // size
    cut = np.concatenate([[0], np.cumsum(counts)])
    place = np.arange(cut[-1]) - np.repeat(cut[:-1], counts)
    last = np.repeat(begin, counts) + (place + 1) * size - 1
    reached = np.searchsorted(ends, last, side="right")
    most = int(place.max(initial=0)) + 1
    return dataclasses.replace(
        requests, block_offsets=cut, block_ids=ids[reached] * most + place
    )
