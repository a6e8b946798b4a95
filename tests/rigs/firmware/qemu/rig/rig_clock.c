// Time: a 25 MHz CMSDK timer for the ticks, the host's clock (by semihosting) plus an offset for the RTC.
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/timeutils/timeutils.h"
#include "lib/oofatfs/ff.h"
#include "rig_board.h"

#define SECONDS_1970_TO_2000 (946684800u)
#define TIMER0_CTRL (*(volatile uint32_t *)0x40000000u)
#define TIMER0_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER0_RELOAD (*(volatile uint32_t *)0x40000008u)

static int32_t rtc_offset; // seconds; kept over a soft reset, lost at power off

void rig_clock_init(void) {
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = 1;
}

uint64_t rig_ticks(void) {
    // The counter runs down and wraps every 171 s; a longer time without a call loses a wrap, which no test needs.
    static uint64_t total;
    static uint32_t last;
    uint32_t now = ~TIMER0_VALUE;
    total += (uint32_t)(now - last);
    last = now;
    return total;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return rig_ticks() / 25000;
}

mp_uint_t mp_hal_ticks_us(void) {
    return rig_ticks() / 25;
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return rig_ticks();
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = rig_ticks() + (uint64_t)us * 25;
    while (rig_ticks() < end) {
    }
}

// Seconds since 2000. Semihosting operation 0x11 (SYS_TIME) gives the host's seconds since 1970.
uint32_t rig_seconds(void) {
    register uint32_t r0 __asm("r0") = 0x11;
    register uint32_t r1 __asm("r1") = 0;
    __asm volatile ("bkpt 0xAB" : "+r" (r0) : "r" (r1) : "memory");
    return r0 - SECONDS_1970_TO_2000 + rtc_offset;
}

uint64_t mp_hal_time_ns(void) {
    return ((uint64_t)rig_seconds() + SECONDS_1970_TO_2000) * 1000000000u;
}

DWORD get_fattime(void) {
    timeutils_struct_time_t tm;
    timeutils_seconds_since_2000_to_struct_time(rig_seconds(), &tm);
    return (tm.tm_year - 1980) << 25 | tm.tm_mon << 21 | tm.tm_mday << 16 | tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2;
}

#if RIG_FEATURES == RIG_FULL

static mp_obj_t rtc_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    static const mp_obj_base_t rtc_obj = { &rig_rtc_type };
    return MP_OBJ_FROM_PTR(&rtc_obj);
}

// RTC.datetime([(year, month, day, weekday, hour, minute, second, subsecond)])
static mp_obj_t rtc_datetime(size_t n_args, const mp_obj_t *args) {
    timeutils_struct_time_t tm;
    if (n_args == 1) {
        timeutils_seconds_since_2000_to_struct_time(rig_seconds(), &tm);
        mp_obj_t items[8] = {
            mp_obj_new_int(tm.tm_year), mp_obj_new_int(tm.tm_mon), mp_obj_new_int(tm.tm_mday), mp_obj_new_int(tm.tm_wday),
            mp_obj_new_int(tm.tm_hour), mp_obj_new_int(tm.tm_min), mp_obj_new_int(tm.tm_sec), MP_OBJ_NEW_SMALL_INT(0),
        };
        return mp_obj_new_tuple(8, items);
    }
    mp_obj_t *items;
    mp_obj_get_array_fixed_n(args[1], 8, &items);
    rtc_offset += timeutils_seconds_since_2000(mp_obj_get_int(items[0]), mp_obj_get_int(items[1]), mp_obj_get_int(items[2]),
        mp_obj_get_int(items[4]), mp_obj_get_int(items[5]), mp_obj_get_int(items[6])) - rig_seconds();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(rtc_datetime_obj, 1, 2, rtc_datetime);

static const mp_rom_map_elem_t rtc_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_datetime), MP_ROM_PTR(&rtc_datetime_obj) },
};
static MP_DEFINE_CONST_DICT(rtc_locals, rtc_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(rig_rtc_type, MP_QSTR_RTC, MP_TYPE_FLAG_NONE, make_new, rtc_make_new, locals_dict, &rtc_locals);

#endif
