"""Moving bytes: transports, and the drivers that run operations over them."""
