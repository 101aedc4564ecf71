"""Held against published measurements: tables, predictions, scores."""
