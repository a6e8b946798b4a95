"""A connected, running board."""
