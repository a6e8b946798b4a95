"""Settings of the user and of the project, and where upytool keeps things."""
