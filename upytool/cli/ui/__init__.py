"""What the user sees: the only place that writes to the terminal."""
