/* What mboot's main.c and ports/stm32/flash.c need of the HAL and of the USB core, for a program on this computer.
 * Declarations only as far as those sources use them; the flash behind it is memory mapped at the chip's addresses. */
#ifndef RIG_HAL_H
#define RIG_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define STM32F4
#define FLASH_BASE (0x08000000u)
#define FLASH_END (0x080fffffu)
#define FLASH_SECTOR_8 (8)

typedef enum { HAL_OK, HAL_ERROR, HAL_BUSY, HAL_TIMEOUT } HAL_StatusTypeDef;
typedef struct { uint32_t TypeErase, Sector, NbSectors, VoltageRange; } FLASH_EraseInitTypeDef;
#define TYPEERASE_SECTORS (0)
#define VOLTAGE_RANGE_3 (2)
#define FLASH_TYPEPROGRAM_WORD (2)
#define FLASH_FLAG_EOP 0
#define FLASH_FLAG_OPERR 0
#define FLASH_FLAG_WRPERR 0
#define FLASH_FLAG_PGAERR 0
#define FLASH_FLAG_PGPERR 0
#define FLASH_FLAG_PGSERR 0
#define FLASH_CR_PSIZE
#define __HAL_FLASH_CLEAR_FLAG(flags) ((void)(flags))
HAL_StatusTypeDef HAL_FLASH_Unlock(void);
HAL_StatusTypeDef HAL_FLASH_Lock(void);
HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *what, uint32_t *failed);
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t type, uint32_t address, uint64_t data);

typedef unsigned int mp_uint_t;
#define MP_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static inline int mp_hal_status_to_neg_errno(HAL_StatusTypeDef status) { return status ? -5 : 0; }
extern uint8_t rig_unique_id[12];
#define MP_HAL_UNIQUE_ID_ADDRESS (rig_unique_id)

/* The USB core. */
typedef struct { void *pClassData; } USBD_HandleTypeDef;
typedef struct { uint8_t bmRequest, bRequest; uint16_t wValue, wIndex, wLength; } USBD_SetupReqTypedef;
typedef struct {
    uint8_t *(*GetDeviceDescriptor)(USBD_HandleTypeDef *, uint16_t *);
    uint8_t *(*GetStrDescriptor)(USBD_HandleTypeDef *, uint8_t, uint16_t *);
} USBD_DescriptorsTypeDef;
#define __ALIGN_BEGIN
#define __ALIGN_END
#define LOBYTE(x) ((uint8_t)((x) & 0xff))
#define HIBYTE(x) ((uint8_t)(((x) >> 8) & 0xff))
#define USBD_OK (0)
#define USB_LEN_DEV_DESC (18)
#define USB_LEN_LANGID_STR_DESC (4)
#define USB_DESC_TYPE_STRING (3)
#define USBD_MAX_STR_DESC_SIZ (255)
#define USBD_IDX_LANGID_STR (0)
#define USBD_IDX_MFC_STR (1)
#define USBD_IDX_PRODUCT_STR (2)
#define USBD_IDX_SERIAL_STR (3)
#define USBD_IDX_CONFIG_STR (4)
#define MICROPY_HW_USB_FS (1)
#define MICROPY_HW_USB_HS (0)
#define MICROPY_HW_USB_IS_MULTI_OTG (1)
#define BOOTLOADER_DFU_USB_VID (0x0483)
#define BOOTLOADER_DFU_USB_PID (0xdf11)
void USBD_GetString(uint8_t *text, uint8_t *descriptor, uint16_t *length);
void USBD_CtlError(USBD_HandleTypeDef *device, USBD_SetupReqTypedef *request);
void USBD_CtlPrepareRx(USBD_HandleTypeDef *device, uint8_t *buffer, uint16_t length);
void USBD_CtlSendData(USBD_HandleTypeDef *device, uint8_t *data, uint16_t length);

/* A board with SPI flash (as LEGO_HUB_NO7 has: 4 KiB pages from 0x80000000 on). */
#define MBOOT_SPIFLASH_ADDR (0x80000000u)
#define MBOOT_SPIFLASH_BYTE_SIZE (64 * 4096)
#define MBOOT_SPIFLASH_LAYOUT "/0x80000000/64*4Kg"
#define MBOOT_SPIFLASH_ERASE_BLOCKS_PER_PAGE (1)
#define MP_SPIFLASH_ERASE_BLOCK_SIZE (4096)
typedef struct { int unused; } mp_spiflash_t;
extern mp_spiflash_t rig_spi;
#define MBOOT_SPIFLASH_SPIFLASH (&rig_spi)
int mp_spiflash_erase_block(mp_spiflash_t *flash, uint32_t address);
void mp_spiflash_read(mp_spiflash_t *flash, uint32_t address, size_t length, uint8_t *to);
int mp_spiflash_write(mp_spiflash_t *flash, uint32_t address, size_t length, const uint8_t *from);

/* mboot.h, as far as it is not about the board's clocks and lamps. */
#define SECTION_NOZERO_BSS
#ifndef MBOOT_ENABLE_PACKING
#define MBOOT_ENABLE_PACKING (0)
#endif
int mboot_pack_write(uint32_t address, const uint8_t *from, size_t length, bool dry_run);
typedef uint32_t mboot_addr_t;
enum { MBOOT_STATE_ERASE_START, MBOOT_STATE_ERASE_END, MBOOT_STATE_READ_START, MBOOT_STATE_READ_END,
       MBOOT_STATE_WRITE_START, MBOOT_STATE_WRITE_END };
static inline void mboot_state_change(int state, uint32_t argument) { (void)state; (void)argument; }

#endif
