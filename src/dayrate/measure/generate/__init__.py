"""A model of one's own, run here: text, seconds, memory, joules and money."""
