// The unix port's HAL, and what modos.c and sys_stdio_mphal.c want of a bare-metal one.
#include "ports/unix/mphalport.h"
#include "py/ringbuf.h"

#undef mp_hal_stdio_poll
extern ringbuf_t stdin_ringbuf;
