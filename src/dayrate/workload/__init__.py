"""The workload layer."""
