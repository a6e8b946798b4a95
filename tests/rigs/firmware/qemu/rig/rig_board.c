// Receive interrupt with a ring, Ctrl-C while a program runs, sleep instead of spinning, boot.py and main.py:
// what real ports do and the stock qemu port (polled UART, no start-up scripts) does not.
#include <string.h>

#include "py/compile.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/interrupt_char.h"
#include "shared/runtime/pyexec.h"
#include "rig_board.h"

typedef struct _rig_uart_t {
    volatile uint32_t data, state, ctrl, intstatus, bauddiv;
} rig_uart_t;

#define UART0 ((rig_uart_t *)0x40004000u) // CMSDK APB UART 0; its receive interrupt is IRQ 0
#define UART_STATE_RXFULL (1u << 1)
#define UART_CTRL_RX_INT (1u << 3)
#define UART_INT_RX (1u << 1)
#define NVIC_ISER (*(volatile uint32_t *)0xE000E100u)
#define NVIC_ICER (*(volatile uint32_t *)0xE000E180u)
#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08u)
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define TICKS_PER_MS (25000u)

static uint32_t vectors[64] __attribute__((aligned(256)));
static uint8_t ring[4096];
static volatile uint16_t ring_in, ring_out;
static uint16_t ring_size = 512;
static bool ring_drops;

static uint16_t ring_next(uint16_t at) {
    return at + 1 == ring_size ? 0 : at + 1;
}

static void uart_rx_isr(void) {
    while (UART0->state & UART_STATE_RXFULL) {
        uint16_t next = ring_next(ring_in);
        if (next == ring_out && !ring_drops) {
            NVIC_ICER = 1; // leave the byte in the UART: the sender waits until the ring is read
            return;
        }
        UART0->intstatus = UART_INT_RX; // before the read, which lets the next byte raise it again
        uint8_t c = UART0->data;
        if (c == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
        } else if (next != ring_out) {
            ring[ring_in] = c;
            ring_in = next;
        }
    }
}

static void systick_isr(void) {
    SYST_CSR = 0; // one shot: only there to end a sleep
}

void rig_uart_init(void) {
    extern const uint32_t isr_vector[];
    memcpy(vectors, isr_vector, 16 * sizeof(uint32_t));
    vectors[15] = (uint32_t)systick_isr;
    vectors[16] = (uint32_t)uart_rx_isr;
    SCB_VTOR = (uint32_t)vectors;
    if (rig_has_params()) {
        ring_drops = RIG_PARAMS->drop != 0;
        uint32_t size = RIG_PARAMS->ring_bytes;
        if (size >= 64 && size <= sizeof(ring)) {
            ring_size = size;
        }
    }
    UART0->ctrl |= UART_CTRL_RX_INT;
    uart_rx_isr(); // a byte that came before raised no interrupt, and none follows while it lies there
    NVIC_ISER = 1;
    __asm volatile ("cpsie i");
}

// Wait for any interrupt, at most timeout_ms (negative: without end).
static void wait_for_interrupt(int timeout_ms) {
    __asm volatile ("cpsid i");
    if (ring_in == ring_out && MP_STATE_MAIN_THREAD(mp_pending_exception) == MP_OBJ_NULL) {
        if (timeout_ms >= 0) {
            SYST_RVR = (timeout_ms > 500 ? 500 : timeout_ms ? timeout_ms : 1) * TICKS_PER_MS;
            SYST_CVR = 0;
            SYST_CSR = 7;
        }
        __asm volatile ("wfi"); // wakes with interrupts masked too, so none is missed
        SYST_CSR = 0;
    }
    __asm volatile ("cpsie i");
}

void rig_sleep(int timeout_ms) {
    wait_for_interrupt(timeout_ms);
}

int __wrap_mp_hal_stdin_rx_chr(void) {
    while (ring_in == ring_out) {
        mp_handle_pending(true);
        wait_for_interrupt(-1);
    }
    uint8_t c = ring[ring_out];
    ring_out = ring_next(ring_out);
    NVIC_ISER = 1;
    return c;
}

uintptr_t __wrap_mp_hal_stdio_poll(uintptr_t flags) {
    return ((flags & MP_STREAM_POLL_RD) && ring_in != ring_out ? MP_STREAM_POLL_RD : 0) | (flags & MP_STREAM_POLL_WR);
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end = rig_ticks() + (uint64_t)ms * TICKS_PER_MS;
    for (;;) {
        mp_handle_pending(true);
        uint64_t now = rig_ticks();
        if (now >= end) {
            return;
        }
        uint32_t left = (end - now) / TICKS_PER_MS;
        // Unread input must not turn the sleep into a spin, so this waits on the timer alone.
        SYST_RVR = (left > 500 ? 500 : left ? left : 1) * TICKS_PER_MS;
        SYST_CVR = 0;
        SYST_CSR = 7;
        __asm volatile ("cpsid i\n wfi\n cpsie i");
        SYST_CSR = 0;
    }
}

// Mount the disk as the ports' _boot.py do (formatting it when it holds no file system) and extend sys.path.
static const char boot_script[] =
    "import vfs, sys, rig\n"
    "d = rig.Disk()\n"
    "F = vfs.VfsLfs2 if rig.lfs() else vfs.VfsFat\n"
    "try:\n"
    "    vfs.mount(F(d), '/')\n"
    "except OSError:\n"
    "    F.mkfs(d)\n"
    "    vfs.mount(F(d), '/')\n"
    "sys.path.append('/lib')\n";

static void run_boot_script(void) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_lexer_t *lex = mp_lexer_new_from_str_len(MP_QSTR__lt_stdin_gt_, boot_script, sizeof(boot_script) - 1, 0);
        mp_obj_dict_t *globals = MP_OBJ_TO_PTR(mp_obj_new_dict(4));
        mp_parse_compile_execute(lex, MP_PARSE_FILE_INPUT, globals, globals);
        nlr_pop();
    } else {
        mp_printf(&mp_plat_print, "rig: cannot mount the disk\n");
        mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
}

// Called at the end of mp_init: at power on and at each soft reset.
void rig_init(void) {
    static bool powered;
    if (!powered) {
        powered = true;
        rig_clock_init();
        rig_uart_init();
    }
    run_boot_script();
    int ret = pyexec_file_if_exists("boot.py");
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !(ret & PYEXEC_FORCED_EXIT)) {
        pyexec_file_if_exists("main.py");
    }
}
