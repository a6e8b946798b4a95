"""Firmware onto boards: one flow over every bootloader."""
