"""A real model or a real endpoint, run here and measured."""
