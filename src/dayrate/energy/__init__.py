"""The energy layer."""
