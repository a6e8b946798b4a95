/* The end of the program: a flash that behaves as flash, a USB core of a few lines, and requests over a pipe.
 * The sections of mboot's own main.c stand before this, unchanged.
 *
 * A request is 12 bytes: kind, 3 unused, then for kind 'c' a setup packet (8 bytes) and, to the device, its data;
 * for 'r' (look into memory) and 'w' (put into it) address and length, and for 'w' the data. The answer is a
 * length (i32; -1 the device stalls, -2 it does not answer) and that many bytes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROTECTED_SIZE (0x8000)
uint8_t rig_unique_id[12] = {0x36, 0, 0x1f, 0, 1, 2, 0x51, 0x33, 0x32, 0x34, 0x37, 0x33};
mp_spiflash_t rig_spi;
static uint8_t spi[MBOOT_SPIFLASH_BYTE_SIZE];
dfu_context_t dfu_context;

HAL_StatusTypeDef HAL_FLASH_Unlock(void) { return HAL_OK; }
HAL_StatusTypeDef HAL_FLASH_Lock(void) { return HAL_OK; }

static void sector_span(uint32_t sector, uint32_t *start, uint32_t *size) {
    for (uint32_t at = FLASH_BASE; at < FLASH_END; at = *start + *size) {
        if (flash_get_sector_info(at, start, size) == (int32_t)sector) {
            return;
        }
    }
    abort();
}

HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *what, uint32_t *failed) {
    uint32_t start, size;
    (void)failed;
    sector_span(what->Sector, &start, &size);
    memset((void *)(uintptr_t)start, 0xff, size);
    return HAL_OK;
}

HAL_StatusTypeDef HAL_FLASH_Program(uint32_t type, uint32_t address, uint64_t data) {
    (void)type;
    if (address % 4) {
        return HAL_ERROR;
    }
    *(uint32_t *)(uintptr_t)address &= (uint32_t)data;
    return HAL_OK;
}

int mp_spiflash_erase_block(mp_spiflash_t *flash, uint32_t address) {
    (void)flash;
    memset(spi + address, 0xff, MP_SPIFLASH_ERASE_BLOCK_SIZE);
    return 0;
}

void mp_spiflash_read(mp_spiflash_t *flash, uint32_t address, size_t length, uint8_t *to) {
    (void)flash;
    memcpy(to, spi + address, length);
}

int mp_spiflash_write(mp_spiflash_t *flash, uint32_t address, size_t length, const uint8_t *from) {
    (void)flash;
    for (size_t i = 0; i < length; ++i) {
        spi[address + i] &= from[i];
    }
    return 0;
}

/* An mboot for encrypted firmware does not come as far as this in the tests. */
int mboot_pack_write(uint32_t address, const uint8_t *from, size_t length, bool dry_run) {
    (void)address; (void)from; (void)length; (void)dry_run;
    return -1;
}

static pyb_usbdd_obj_t usb_object;
static uint8_t answer[4096];
static int32_t answer_length;
static uint8_t *rx_buffer;
static uint16_t rx_length;

void USBD_GetString(uint8_t *text, uint8_t *descriptor, uint16_t *length) {
    size_t n = strlen((char *)text);
    n = n > 126 ? 126 : n;
    descriptor[0] = *length = (uint16_t)(2 + 2 * n);
    descriptor[1] = USB_DESC_TYPE_STRING;
    for (size_t i = 0; i < n; ++i) {
        descriptor[2 + 2 * i] = text[i];
        descriptor[3 + 2 * i] = 0;
    }
}

void USBD_CtlError(USBD_HandleTypeDef *device, USBD_SetupReqTypedef *request) {
    (void)device; (void)request;
    answer_length = -1;
}

void USBD_CtlPrepareRx(USBD_HandleTypeDef *device, uint8_t *buffer, uint16_t length) {
    (void)device;
    rx_buffer = buffer;
    rx_length = length;
}

void USBD_CtlSendData(USBD_HandleTypeDef *device, uint8_t *data, uint16_t length) {
    (void)device;
    memcpy(answer, data, length);
    answer_length = length;
}

static void receive(void *to, size_t length) {
    for (uint8_t *at = to; length;) {
        ssize_t n = read(0, at, length);
        if (n <= 0) {
            exit(0);
        }
        at += n;
        length -= (size_t)n;
    }
}

static void send(const void *from, size_t length) {
    for (const uint8_t *at = from; length;) {
        ssize_t n = write(1, at, length);
        if (n <= 0) {
            exit(1);
        }
        at += n;
        length -= (size_t)n;
    }
}

static void reply(int32_t length, const void *data) {
    send(&length, 4);
    if (length > 0) {
        send(data, (size_t)length);
    }
}

static void descriptor(USBD_SetupReqTypedef *setup) {
    uint16_t length = 0;
    uint8_t *data = NULL;
    USBD_HandleTypeDef *device = &usb_object.hUSBDDevice;
    switch (setup->wValue >> 8) {
        case 1: data = pyb_usbdd_descriptors.GetDeviceDescriptor(device, &length); break;
        case 2: data = pyb_usbdd_GetCfgDesc(device, &length); break;
        case 3: data = pyb_usbdd_descriptors.GetStrDescriptor(device, setup->wValue & 0xff, &length); break;
    }
    if (data == NULL) {
        answer_length = -1;
    } else {
        USBD_CtlSendData(device, data, MIN(length, setup->wLength));
    }
}

static void control(const uint8_t *raw) {
    USBD_SetupReqTypedef setup;
    static uint8_t data[65536];
    memcpy(&setup, raw, 8);
    answer_length = -2;
    rx_buffer = NULL;
    if (!(setup.bmRequest & 0x80)) {
        receive(data, setup.wLength);
    }
    if ((setup.bmRequest & 0x60) == 0) {
        if (setup.bRequest == 6) {
            descriptor(&setup);
        } else {
            answer_length = -1;
        }
        reply(answer_length, answer);
        return;
    }
    if (setup.wLength > USB_XFER_SIZE) {
        reply(-1, NULL);
        return;
    }
    pyb_usbdd_Setup(&usb_object.hUSBDDevice, &setup);
    if (setup.bmRequest & 0x80) {
        reply(answer_length, answer);
        if (answer_length >= 0) {
            pyb_usbdd_EP0_TxSent(&usb_object.hUSBDDevice);
        }
        return;
    }
    if (rx_buffer != NULL) {
        memcpy(rx_buffer, data, rx_length);
        pyb_usbdd_EP0_RxReady(&usb_object.hUSBDDevice);
    }
    reply(0, NULL);
}

static uint8_t *place(uint32_t address) {
    return address >= MBOOT_SPIFLASH_ADDR ? spi + (address - MBOOT_SPIFLASH_ADDR) : (uint8_t *)(uintptr_t)address;
}

int main(void) {
    size_t size = FLASH_END + 1 - FLASH_BASE;
    void *flash = mmap((void *)(uintptr_t)FLASH_BASE, size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (flash != (void *)(uintptr_t)FLASH_BASE) {
        fprintf(stderr, "no memory at %#x: %s\n", FLASH_BASE, strerror(errno));
        return 2;
    }
    memset(flash, 0xff, size);
    memset(spi, 0xff, sizeof spi);
    memset(flash, 0x4d, PROTECTED_SIZE); /* mboot itself */
    usb_object.hUSBDDevice.pClassData = &usb_object;
    dfu_init();
    for (;;) {
        uint8_t head[12];
        uint32_t where[2];
        uint8_t left = dfu_context.leave_dfu;
        receive(head, sizeof head);
        memcpy(where, head + 4, 8);
        switch (head[0]) {
            case 'c': control(head + 4); break;
            case 'r': reply((int32_t)where[1], place(where[0])); break;
            case 'w': receive(place(where[0]), where[1]); reply(0, NULL); break;
            case 'l': reply(1, &left); break;
            case 'p': dfu_init(); reply(0, NULL); break;
            default: return 3;
        }
    }
}
