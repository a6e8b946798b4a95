"""`make demo`: the main job on a simulated board, by the commands that a user types."""
