// What the parts of the qemu rig's firmware share: the page of start parameters and the clock.
#ifndef RIG_BOARD_H
#define RIG_BOARD_H

#include <stdbool.h>
#include <stdint.h>

// The 16 MB PSRAM of the MPS2 board stands for the flash chip: the rig backs it with a file of the host, so that
// its contents outlive a reset, a soft reset and the emulator. Its last page holds the rig's start parameters.
#define RIG_FLASH_BASE (0x21000000u)
#define RIG_PARAMS_ADDR (RIG_FLASH_BASE + 0x1000000u - 0x1000u)
#define RIG_MAGIC (0x52494731u) // "RIG1"

typedef struct _rig_params_t {
    uint32_t magic;
    uint32_t lfs;         // 0: FAT, 1: LittleFS v2
    uint32_t disk_bytes;  // size of the file system's region, from RIG_FLASH_BASE on
    uint32_t drop;        // 1: a full receive ring drops bytes (a UART), 0: it holds the sender back (USB CDC)
    uint32_t ring_bytes;  // size of the receive ring, 64 to 4096
    uint32_t rom;         // ROM partitions: see rig_rom.c
} rig_params_t;

#define RIG_PARAMS ((volatile rig_params_t *)RIG_PARAMS_ADDR)

static inline bool rig_has_params(void) {
    return RIG_PARAMS->magic == RIG_MAGIC;
}

uint64_t rig_ticks(void); // 25 MHz, since power on
void rig_clock_init(void);
void rig_uart_init(void);

#endif
