"""Ways to serve beyond one pool of plain replicas: ranks, drafts, separate prefill."""

import dataclasses
from dataclasses import dataclass

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import Autoscale
from dayrate.serving.disaggregated import kv_transfer_s
from dayrate.serving.replica import Replica
from dayrate.serving.simulator.disaggregated import Pools
from dayrate.serving.simulator.inputs import RequestList
from dayrate.serving.simulator.law import Drafts
from dayrate.serving.speculation import Speculation
from dayrate.units import Num

__all__ = ["Ways", "drafts_of"]


@dataclass(frozen=True, slots=True)
class Ways:
    """In which order requests are served, and who computes prompts.

    Parameters
    ----------
    by_priority : bool
        Serve by the priority that a trace gives, lowest first.
    prefill_replicas : int
        Replicas that compute prompts only; 0 lets every replica do all. [1]
    transfer_bytes_per_s : float or None
        Out of each accelerator's network port; by default that of its server. [B/s]
    transfer_latency_s : float or None
        Before the first byte arrives; by default that of the network. [s]
    """

    by_priority: bool = False
    prefill_replicas: int = 0
    transfer_bytes_per_s: float | None = None
    transfer_latency_s: float | None = None

    def pools(
        self,
        replica: Replica,
        count: int,
        input_tokens: Num,
        policy: Autoscale | None = None,
    ) -> Pools:
        """Say which replicas compute prompts, and how long a cache takes from them."""
        per_s = self.transfer_bytes_per_s
        per_s = float(replica.machine.node_bytes_per_s) if per_s is None else per_s
        latency = self.transfer_latency_s
        latency = float(replica.machine.node_latency_s) if latency is None else latency
        if not per_s > 0:
            raise InvalidInput(
                f"The cache moves at {per_s / 1e9:g} GB/s. Give "
                "--kv-transfer-bandwidth above 0."
            )
        sent_s = kv_transfer_s(replica, input_tokens, bytes_per_s=per_s)
        return Pools(self.prefill_replicas, count, sent_s, latency, policy)

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


def drafts_of(speculation: Speculation | None, plain: Replica) -> Drafts | None:
    """Say what a replica drafts, beside the same replica that drafts nothing."""
    if speculation is None:
        return None
    small = speculation.draft
    return Drafts(
        speculation.draft_tokens,
        float(speculation.acceptance_frac),
        None if small is None else dataclasses.replace(plain, model=small),
    )
