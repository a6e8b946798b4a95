"""What is said on a wire, without any I/O (see ops.py for the contract)."""
