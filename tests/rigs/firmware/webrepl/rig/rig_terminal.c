// The terminal of a bare-metal port: input from the serial line and, through a ring that drops what does not fit, from
// os.dupterm; output with \r\n; Ctrl-C as a flag for the VM.
//
// What stands for the network interrupt of a chip is SIGIO. Boards with lwIP schedule the callback of a socket from
// their interrupt, so a program sees it between two steps of a loop. An ESP32 looks at its sockets only while it waits
// (MICROPY_EVENT_POLL_HOOK in ports/esp32/mpconfigport.h): RIG_WAITS=1 does the same.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "extmod/misc.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "rig_board.h"

#define WATCHES (4)

static byte stdin_ring[65535];
ringbuf_t stdin_ringbuf = { stdin_ring, 260, 0, 0 }; // 260 as on the ESP32

int mp_interrupt_char = -1;
int rig_fullest; // bytes that were in the ring at once
volatile int rig_vm_event; // the VM is to look at the sockets
static volatile int io_event; // the same, for waits
static bool only_waits;

static int watched[WATCHES] = { -1, -1, -1, -1 };
MP_REGISTER_ROOT_POINTER(mp_obj_t rig_sockets[4]);
MP_REGISTER_ROOT_POINTER(mp_obj_t rig_callbacks[4]);

// A signal that comes just before a system call blocks does not end it, so it is repeated until it has been seen.
static void arm_timer(void) {
    struct itimerval soon = { .it_value = { .tv_usec = 10000 } };
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void on_signal(int number) {
    if (number == SIGINT) {
        mp_sched_keyboard_interrupt();
    } else if (number == SIGIO) {
        io_event = 1;
        rig_vm_event = !only_waits;
    }
    if (io_event || MP_STATE_MAIN_THREAD(mp_pending_exception) != MP_OBJ_NULL) {
        arm_timer();
    }
}

static void catch(int number) {
    struct sigaction action = { .sa_handler = on_signal };
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGIO);
    sigaddset(&action.sa_mask, SIGALRM);
    sigaction(number, &action, NULL); // without SA_RESTART: a wait ends
}

void rig_terminal_init(void) {
    const char *ring = getenv("RIG_RING");
    if (ring) {
        stdin_ringbuf.size = atoi(ring);
    }
    only_waits = getenv("RIG_WAITS") != NULL;
    catch(SIGIO);
    catch(SIGALRM);
}

// The bridge sends SIGINT for a Ctrl-C on the serial line when the board catches it, so only while a program runs that
// may be stopped.
void __wrap_mp_hal_set_interrupt_char(char c) {
    mp_interrupt_char = (signed char)c;
    if (c == CHAR_CTRL_C) {
        catch(SIGINT);
    } else {
        signal(SIGINT, SIG_IGN);
    }
}

void rig_watch(mp_obj_t socket, mp_obj_t callback) {
    int error;
    int descriptor = mp_get_stream(socket)->ioctl(socket, MP_STREAM_GET_FILENO, 0, &error);
    for (int i = 0; i < WATCHES; i++) {
        if (watched[i] < 0) {
            watched[i] = descriptor;
            MP_STATE_VM(rig_sockets)[i] = socket;
            MP_STATE_VM(rig_callbacks)[i] = callback;
            fcntl(descriptor, F_SETOWN, getpid());
            fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_ASYNC);
            on_signal(SIGIO); // what came before that gave no signal
            return;
        }
    }
    mp_raise_OSError(MP_ENOMEM);
}

int __real_close(int descriptor);
int __wrap_close(int descriptor) {
    for (int i = 0; i < WATCHES; i++) {
        if (watched[i] == descriptor) {
            watched[i] = -1;
            MP_STATE_VM(rig_sockets)[i] = MP_STATE_VM(rig_callbacks)[i] = MP_OBJ_NULL;
        }
    }
    return __real_close(descriptor);
}

// Waits at most `timeout` ms (-1: until a signal) for input of the watched sockets or, with `serial`, of the serial
// line; returns whether the serial line has some. poll() passes over entries of -1.
static bool wait_for_input(struct pollfd *sockets, bool serial, int timeout) {
    for (int i = 0; i < WATCHES; i++) {
        sockets[i] = (struct pollfd) { .fd = watched[i], .events = POLLIN };
    }
    sockets[WATCHES] = (struct pollfd) { .fd = serial ? STDIN_FILENO : -1, .events = POLLIN };
    return poll(sockets, WATCHES + 1, timeout) > 0 && sockets[WATCHES].revents;
}

// Calls the callbacks of the sockets that have input, as the scheduler would: none while another one runs. The newest
// first, as on the ESP32: the end of a session is seen before the client that comes after it.
void rig_poll_sockets(void) {
    // locked, maybe more than once; or an exception waits, which mp_handle_pending raises before what is scheduled
    if (MP_STATE_VM(sched_state) < 0 || MP_STATE_MAIN_THREAD(mp_pending_exception) != MP_OBJ_NULL) {
        return; // the timer reminds us
    }
    struct pollfd sockets[WATCHES + 1];
    io_event = rig_vm_event = 0; // before looking, so that what comes now counts
    wait_for_input(sockets, false, 0);
    mp_sched_lock();
    for (int i = WATCHES - 1; i >= 0; i--) {
        if (watched[i] == sockets[i].fd && watched[i] >= 0 && sockets[i].revents) {
            mp_call_function_1_protected(MP_STATE_VM(rig_callbacks)[i], MP_STATE_VM(rig_sockets)[i]);
            rig_fullest = MAX(rig_fullest, (int)ringbuf_avail(&stdin_ringbuf));
        }
    }
    mp_sched_unlock();
}

// The port calls this when a signal ended a system call, and in its waits.
void __real_mp_handle_pending(bool raise);
void __wrap_mp_handle_pending(bool raise) {
    if (io_event) {
        rig_poll_sockets();
    }
    __real_mp_handle_pending(raise);
}

int __wrap_mp_hal_stdin_rx_chr(void) {
    for (;;) {
        int c = ringbuf_get(&stdin_ringbuf);
        if (c >= 0) {
            return c;
        }
        rig_poll_sockets();
        mp_handle_pending(true);
        // One scheduled function is run at a time; no port sleeps while more of them wait.
        if (ringbuf_peek(&stdin_ringbuf) >= 0 || MP_STATE_VM(sched_state) == MP_SCHED_PENDING) {
            continue;
        }
        struct pollfd sockets[WATCHES + 1];
        byte read_byte;
        if (wait_for_input(sockets, true, -1) && read(STDIN_FILENO, &read_byte, 1) >= 0) {
            return read_byte;
        }
    }
}

uintptr_t mp_hal_stdio_poll(uintptr_t flags) {
    struct pollfd sockets[WATCHES + 1];
    uintptr_t ready = mp_os_dupterm_poll(flags) | (flags & MP_STREAM_POLL_WR);
    if (flags & MP_STREAM_POLL_RD && (ringbuf_peek(&stdin_ringbuf) >= 0 || wait_for_input(sockets, true, 0))) {
        ready |= MP_STREAM_POLL_RD;
    }
    return ready;
}
