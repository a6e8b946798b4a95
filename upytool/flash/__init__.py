"""Firmware onto boards: one flow over every boot loader."""
