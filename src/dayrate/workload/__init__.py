"""Who asks for what, when: lengths, traces, day shapes, presets, one entry."""

from dayrate.workload.build import (
    DemandInput,
    build_workload,
    workload_from_preset,
    workload_from_trace,
)
from dayrate.workload.demand import DayShape, LengthDistribution, Workload
from dayrate.workload.presets import Preset, preset, preset_names
from dayrate.workload.shape import day_shape, shape_names
from dayrate.workload.traces import Trace, hit_rate, read_trace

__all__ = [
    "DayShape",
    "DemandInput",
    "LengthDistribution",
    "Preset",
    "Trace",
    "Workload",
    "build_workload",
    "day_shape",
    "hit_rate",
    "preset",
    "preset_names",
    "read_trace",
    "shape_names",
    "workload_from_preset",
    "workload_from_trace",
]
