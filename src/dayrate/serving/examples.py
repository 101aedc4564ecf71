"""One service for the examples of this layer: chat on Llama-3.1-70B on 8 x H100."""

from dayrate.perf.efficiency import load_efficiency
from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
from dayrate.serving.replica import Engine, Replica, Traffic

__all__ = ["CHAT", "LLAMA_ON_H100"]

LLAMA_ON_H100 = Replica(
    model=LLAMA_3_1_70B,
    machine=H100,
    parallelism=TP8,
    precision=BF16,
    engine=Engine(max_num_seqs=256, max_num_batched_tokens=8192),
    efficiency=load_efficiency(H100.accelerator_id, H100.generation),
)
#: Means of the Azure 2023 conversation trace.
CHAT = Traffic(input_tokens=1155, output_tokens=211)
