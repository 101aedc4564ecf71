"""Coefficients of this machine and an engine, from short runs of a small model."""
