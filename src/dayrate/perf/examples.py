"""One deployment for the examples of this layer: Llama-3.1-70B on 8 x H100 SXM.

Dimensions are those of the published config; the accelerator's figures are NVIDIA's
data sheet. Quotes read both from the catalogue.
"""

from dayrate.catalog.model import Attention, Block, Mlp, ModelSpec, PositionKind
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.units import GIB, DType

__all__ = ["BF16", "H100", "LLAMA_3_1_70B", "TP8"]

LLAMA_3_1_70B = ModelSpec(
    id="meta-llama/Llama-3.1-70B",
    model_type="llama",
    hidden_size=8192,
    vocab_size=128_256,
    blocks=(
        Block(
            count=80,
            mixer=Attention(n_heads=64, n_kv_heads=8, head_dim=128),
            mlp=Mlp(28_672),
            norm_params=2 * 8192,
        ),
    ),
    tied_embeddings=False,
    max_position_embeddings=131_072,
    positions=PositionKind.ROTARY,
    weights_dtype=DType.BF16,
    final_norm_params=8192,
)
H100 = Machine(
    generation="hopper",
    accelerator_id="h100-sxm-80gb",
    matmul_flop_per_s=989e12,
    attention_flop_per_s=989e12,
    hbm_bytes_per_s=3.35e12,
    hbm_bytes=80 * GIB,
    link_bytes_per_s=450e9,
    link_latency_s=2e-6,
    link_world_size=8,
    node_bytes_per_s=50e9,
    node_latency_s=5e-6,
)
BF16 = Precision(DType.BF16, DType.BF16, DType.BF16)
TP8 = Parallelism(tensor=8)
