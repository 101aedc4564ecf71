"""Many answers at once: sweeps over a grid of scenarios."""
