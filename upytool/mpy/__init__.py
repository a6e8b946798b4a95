""".mpy files: what their headers say, which of them a board takes, and mpy-cross, which makes them."""
