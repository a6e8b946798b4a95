"""Firmware files: what is in them, and how to write them.

`base.FirmwareImage.read` opens any of them; `inspect.inspect` says what one holds. The formats are one
module each: uf2, dfuse, intel_hex, esp (with esp_partitions), rp2_binary_info, romfs, mpy.
"""
