"""Energy of what runs here: read from a meter, else estimated, else unknown."""
