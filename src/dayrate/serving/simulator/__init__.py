"""Continuous batching request by request, step by step."""
