"""Units and number formats: used where data enters; inside, everything is SI."""

import enum

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY_S",
    "GB",
    "GIB",
    "HOUR_S",
    "KWH_J",
    "MEGA",
    "TERA",
    "YEAR_DAYS",
    "DType",
    "Num",
]

GB = 10**9
GIB = 2**30
MEGA = 10**6
TERA = 10**12
HOUR_S = 3600
DAY_S = 86_400
YEAR_DAYS = 365.25
KWH_J = 3.6e6

#: A scalar or an array: every formula of the physics and the economics takes both.
Num = float | npt.NDArray[np.float64]


class DType(enum.Enum):
    """A number format; ``bits`` is the stored width, block scales included."""

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
    Q4_1 = "q4_1"
    Q4_K_M = "q4_k_m"
    Q8_0 = "q8_0"

    @property
    def bits(self) -> float:
        """Stored bits per element, with the scales of block formats. [bit]

        MXFP4 keeps one 8-bit scale per 32 elements, NVFP4 one per 16, INT4 (GPTQ, AWQ)
        one 16-bit scale per 128, Q8_0 one 16-bit scale per 32, Q4_1 a 16-bit scale and
        a 16-bit minimum per 32. Q4_K_M mixes 4.5-bit
        and 6.56-bit blocks: 4.85 is llama.cpp's figure for Llama 7B.
        """
        return _BITS[self]

    @property
    def bytes(self) -> float:
        """Stored width. [B]"""
        return self.bits / 8


_BITS = {
    DType.FP32: 32.0,
    DType.TF32: 32.0,
    DType.BF16: 16.0,
    DType.FP16: 16.0,
    DType.FP8: 8.0,
    DType.INT8: 8.0,
    DType.INT4: 4.125,
    DType.MXFP4: 4.25,
    DType.NVFP4: 4.5,
    DType.Q4_1: 5.0,
    DType.Q4_K_M: 4.85,
    DType.Q8_0: 8.5,
}
