/* libusb-1.0 for programs that shall talk to a back end of the tests: every call goes over a Unix socket
 * ($UPYTOOL_USB_SHIM) to tests/rigs/usb_shim.py, which has the devices. Only the synchronous interface, which is
 * what picotool and dfu-util use. Layouts and numbers: libusb.h of libusb 1.0.
 *
 * Request: op u8, object u32, a u32, b u32, c u32, timeout u32, length u32, data. Answer: status i32, length u32,
 * data. All little endian, as every machine is that this runs on.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIST = 1, OPEN, CLOSE, CONTROL, BULK, CLAIM, RELEASE, ALTERNATE, CLEAR_HALT, RESET, SET_CONFIGURATION,
       GET_CONFIGURATION, DRIVER_ACTIVE, DETACH_DRIVER };
enum { ERROR_IO = -1, ERROR_INVALID = -2, ERROR_NOT_FOUND = -5, ERROR_OVERFLOW = -8, ERROR_NO_MEM = -11 };

struct device_descriptor {
    uint8_t length, type;
    uint16_t usb;
    uint8_t class_code, subclass, protocol, packet;
    uint16_t vendor, product, release;
    uint8_t manufacturer_string, product_string, serial_string, configurations;
};
struct endpoint_descriptor {
    uint8_t length, type, address, attributes;
    uint16_t packet;
    uint8_t interval, refresh, synch;
    const unsigned char *extra;
    int extra_length;
};
struct interface_descriptor {
    uint8_t length, type, number, alternate, endpoints, class_code, subclass, protocol, string;
    const struct endpoint_descriptor *endpoint;
    const unsigned char *extra;
    int extra_length;
};
struct interface {
    const struct interface_descriptor *altsetting;
    int num_altsetting;
};
struct config_descriptor {
    uint8_t length, type;
    uint16_t total;
    uint8_t interfaces, value, string, attributes, power;
    const struct interface *interface;
    const unsigned char *extra;
    int extra_length;
};
struct version {
    uint16_t major, minor, micro, nano;
    const char *rc, *describe;
};

typedef struct device {
    int references;
    uint32_t id;
    uint8_t bus, address, speed, port_count, ports[7];
    uint8_t descriptor[18];
    uint16_t config_length;
    uint8_t *config;
} device;
typedef struct handle {
    device *dev;
    uint32_t id;
} handle;
typedef struct context { int unused; } context;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int channel = -1;

static int whole(int writing, void *data, size_t length)
{
    for (uint8_t *at = data; length;) {
        ssize_t moved = writing ? send(channel, at, length, MSG_NOSIGNAL) : recv(channel, at, length, 0);
        if (moved <= 0)
            return 0;
        at += moved;
        length -= (size_t)moved;
    }
    return 1;
}

static int ask(uint8_t op, uint32_t object, uint32_t a, uint32_t b, uint32_t c, uint32_t timeout, const void *out,
               uint32_t out_length, uint8_t **in, uint32_t *in_length)
{
    int32_t status = ERROR_IO;
    uint32_t head[6] = {object, a, b, c, timeout, out_length}, length = 0;
    uint8_t *data = NULL;
    pthread_mutex_lock(&lock);
    if (channel >= 0 && whole(1, &op, 1) && whole(1, head, sizeof head) && whole(1, (void *)out, out_length) &&
        whole(0, &status, 4) && whole(0, &length, 4) && (data = malloc(length + 1)) != NULL && whole(0, data, length)) {
        if (in) {
            *in = data;
            *in_length = length;
        } else {
            free(data);
        }
    } else {
        free(data);
        status = ERROR_IO;
        if (in)
            *in = NULL;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static int simple(uint8_t op, handle *h, uint32_t a, uint32_t b)
{
    return ask(op, h->id, a, b, 0, 5000, NULL, 0, NULL, NULL);
}

int libusb_init(context **out)
{
    static context only;
    if (channel < 0) {
        const char *path = getenv("UPYTOOL_USB_SHIM");
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        if (!path || strlen(path) >= sizeof name.sun_path)
            return ERROR_IO;
        strcpy(name.sun_path, path);
        channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(channel, (struct sockaddr *)&name, sizeof name) < 0) {
            close(channel);
            channel = -1;
            return ERROR_IO;
        }
    }
    if (out)
        *out = &only;
    return 0;
}

int libusb_init_context(context **out, const void *options, int count)
{
    (void)options, (void)count;
    return libusb_init(out);
}

void libusb_exit(context *c) { (void)c; }
void libusb_set_debug(context *c, int level) { (void)c, (void)level; }
int libusb_set_option(context *c, int option, ...) { (void)c, (void)option; return 0; }
int libusb_has_capability(uint32_t capability) { return capability == 0; }

const struct version *libusb_get_version(void)
{
    static const struct version v = {1, 0, 28, 0, "", "upytool test shim"};
    return &v;
}

const char *libusb_error_name(int code)
{
    static const char *const names[] = {
        "LIBUSB_SUCCESS", "LIBUSB_ERROR_IO", "LIBUSB_ERROR_INVALID_PARAM", "LIBUSB_ERROR_ACCESS",
        "LIBUSB_ERROR_NO_DEVICE", "LIBUSB_ERROR_NOT_FOUND", "LIBUSB_ERROR_BUSY", "LIBUSB_ERROR_TIMEOUT",
        "LIBUSB_ERROR_OVERFLOW", "LIBUSB_ERROR_PIPE", "LIBUSB_ERROR_INTERRUPTED", "LIBUSB_ERROR_NO_MEM",
        "LIBUSB_ERROR_NOT_SUPPORTED"};
    return code <= 0 && code >= -12 ? names[-code] : "LIBUSB_ERROR_OTHER";
}

const char *libusb_strerror(int code) { return libusb_error_name(code); }

device *libusb_ref_device(device *d)
{
    __sync_add_and_fetch(&d->references, 1);
    return d;
}

void libusb_unref_device(device *d)
{
    if (d && __sync_sub_and_fetch(&d->references, 1) == 0) {
        free(d->config);
        free(d);
    }
}

ssize_t libusb_get_device_list(context *c, device ***out)
{
    uint8_t *data = NULL;
    uint32_t length = 0;
    (void)c;
    int count = ask(LIST, 0, 0, 0, 0, 0, NULL, 0, &data, &length);
    if (count < 0)
        return count;
    device **list = calloc((size_t)count + 1, sizeof *list);
    uint8_t *at = data;
    for (int i = 0; i < count; i++) {
        device *d = calloc(1, sizeof *d);
        d->references = 1;
        memcpy(&d->id, at, 4);
        d->bus = at[4], d->address = at[5], d->speed = at[6], d->port_count = at[7];
        memcpy(d->ports, at + 8, 7);
        memcpy(d->descriptor, at + 15, 18);
        memcpy(&d->config_length, at + 33, 2);
        d->config = malloc(d->config_length + 1u);
        memcpy(d->config, at + 35, d->config_length);
        at += 35 + d->config_length;
        list[i] = d;
    }
    free(data);
    *out = list;
    return count;
}

void libusb_free_device_list(device **list, int unref)
{
    if (!list)
        return;
    for (device **d = list; unref && *d; d++)
        libusb_unref_device(*d);
    free(list);
}

uint8_t libusb_get_bus_number(device *d) { return d->bus; }
uint8_t libusb_get_device_address(device *d) { return d->address; }
int libusb_get_device_speed(device *d) { return d->speed; }
device *libusb_get_parent(device *d) { (void)d; return NULL; }
uint8_t libusb_get_port_number(device *d) { return d->port_count ? d->ports[d->port_count - 1] : 0; }

int libusb_get_port_numbers(device *d, uint8_t *ports, int length)
{
    if (length < d->port_count)
        return ERROR_OVERFLOW;
    memcpy(ports, d->ports, d->port_count);
    return d->port_count;
}

int libusb_get_device_descriptor(device *d, struct device_descriptor *out)
{
    memcpy(out, d->descriptor, 18);
    return 0;
}

static const uint8_t *keep(const uint8_t *from, size_t length)
{
    uint8_t *copy = malloc(length + 1);
    memcpy(copy, from, length);
    return copy;
}

int libusb_get_config_descriptor(device *d, uint8_t index, struct config_descriptor **out)
{
    const uint8_t *raw = d->config, *end = raw + d->config_length;
    if (index || d->config_length < 9)
        return ERROR_NOT_FOUND;
    struct config_descriptor *config = calloc(1, sizeof *config);
    memcpy(config, raw, 9);
    struct interface *interfaces = calloc(256, sizeof *interfaces);
    struct interface_descriptor *setting = NULL;
    struct endpoint_descriptor *endpoint = NULL;
    const uint8_t **extra = &config->extra;
    int *extra_length = &config->extra_length;
    for (const uint8_t *at = raw + raw[0]; at + 2 <= end && at[0] >= 2 && at + at[0] <= end; at += at[0]) {
        if (at[1] == 4 && at[0] >= 9) {
            struct interface *owner = &interfaces[at[2]];
            owner->altsetting = realloc((void *)owner->altsetting, sizeof *setting * ((size_t)owner->num_altsetting + 1));
            setting = (struct interface_descriptor *)owner->altsetting + owner->num_altsetting++;
            memset(setting, 0, sizeof *setting);
            memcpy(setting, at, 9);
            setting->endpoint = endpoint = calloc(32, sizeof *endpoint);
            extra = &setting->extra, extra_length = &setting->extra_length;
        } else if (at[1] == 5 && setting && endpoint < setting->endpoint + 31) {
            memcpy(endpoint, at, at[0] < 9 ? 7 : 9);
            extra = &endpoint->extra, extra_length = &endpoint->extra_length;
            endpoint++;
        } else if (*extra_length == 0) {
            *extra = keep(at, (size_t)(end - at)); /* what belongs to it follows without a gap */
            *extra_length = at[0];
        } else {
            *extra_length += at[0];
        }
    }
    int count = 0;
    for (int i = 0; i < 256; i++)
        if (interfaces[i].num_altsetting)
            interfaces[count++] = interfaces[i];
    config->interfaces = (uint8_t)count;
    config->interface = interfaces;
    *out = config;
    return 0;
}

int libusb_get_active_config_descriptor(device *d, struct config_descriptor **out)
{
    return libusb_get_config_descriptor(d, 0, out);
}

int libusb_get_config_descriptor_by_value(device *d, uint8_t value, struct config_descriptor **out)
{
    return d->config_length > 5 && d->config[5] == value ? libusb_get_config_descriptor(d, 0, out) : ERROR_NOT_FOUND;
}

void libusb_free_config_descriptor(struct config_descriptor *config)
{
    if (!config)
        return;
    for (int i = 0; i < config->interfaces; i++) {
        for (int j = 0; j < config->interface[i].num_altsetting; j++) {
            const struct interface_descriptor *setting = &config->interface[i].altsetting[j];
            for (int k = 0; k < 32; k++)
                free((void *)setting->endpoint[k].extra);
            free((void *)setting->endpoint);
            free((void *)setting->extra);
        }
        free((void *)config->interface[i].altsetting);
    }
    free((void *)config->interface);
    free((void *)config->extra);
    free(config);
}

int libusb_open(device *d, handle **out)
{
    int id = ask(OPEN, d->id, 0, 0, 0, 5000, NULL, 0, NULL, NULL);
    if (id < 0)
        return id;
    handle *h = calloc(1, sizeof *h);
    h->dev = libusb_ref_device(d);
    h->id = (uint32_t)id;
    *out = h;
    return 0;
}

void libusb_close(handle *h)
{
    if (!h)
        return;
    simple(CLOSE, h, 0, 0);
    libusb_unref_device(h->dev);
    free(h);
}

device *libusb_get_device(handle *h) { return h->dev; }
int libusb_claim_interface(handle *h, int number) { return simple(CLAIM, h, (uint32_t)number, 0); }
int libusb_release_interface(handle *h, int number) { return simple(RELEASE, h, (uint32_t)number, 0); }
int libusb_clear_halt(handle *h, unsigned char endpoint) { return simple(CLEAR_HALT, h, endpoint, 0); }
int libusb_reset_device(handle *h) { return simple(RESET, h, 0, 0); }
int libusb_set_configuration(handle *h, int value) { return simple(SET_CONFIGURATION, h, (uint32_t)value, 0); }
int libusb_kernel_driver_active(handle *h, int number) { return simple(DRIVER_ACTIVE, h, (uint32_t)number, 0); }
int libusb_detach_kernel_driver(handle *h, int number) { return simple(DETACH_DRIVER, h, (uint32_t)number, 0); }
int libusb_attach_kernel_driver(handle *h, int number) { (void)h, (void)number; return ERROR_NOT_FOUND; }
int libusb_set_auto_detach_kernel_driver(handle *h, int on) { (void)h, (void)on; return 0; }

int libusb_set_interface_alt_setting(handle *h, int number, int alternate)
{
    return simple(ALTERNATE, h, (uint32_t)number, (uint32_t)alternate);
}

int libusb_get_configuration(handle *h, int *value)
{
    int found = simple(GET_CONFIGURATION, h, 0, 0);
    if (found >= 0)
        *value = found;
    return found < 0 ? found : 0;
}

int libusb_control_transfer(handle *h, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                            unsigned char *data, uint16_t length, unsigned int timeout)
{
    uint8_t *in = NULL;
    uint32_t count = 0, words = (uint32_t)type << 24 | (uint32_t)request << 16 | length;
    int inward = type & 0x80;
    int status = ask(CONTROL, h->id, words, value, index, timeout, data, inward ? 0 : length, &in, &count);
    if (in && inward && status >= 0)
        memcpy(data, in, count < length ? count : length);
    free(in);
    return status;
}

int libusb_bulk_transfer(handle *h, unsigned char endpoint, unsigned char *data, int length, int *moved,
                         unsigned int timeout)
{
    uint8_t *in = NULL;
    uint32_t count = 0;
    int inward = endpoint & 0x80;
    int status = ask(BULK, h->id, endpoint, (uint32_t)length, 0, timeout, data, inward ? 0 : (uint32_t)length, &in,
                     &count);
    if (in && inward)
        memcpy(data, in, count < (uint32_t)length ? count : (uint32_t)length);
    if (moved)
        *moved = status < 0 ? 0 : status;
    free(in);
    return status < 0 ? status : 0;
}

int libusb_interrupt_transfer(handle *h, unsigned char endpoint, unsigned char *data, int length, int *moved,
                              unsigned int timeout)
{
    return libusb_bulk_transfer(h, endpoint, data, length, moved, timeout);
}

int libusb_get_string_descriptor_ascii(handle *h, uint8_t index, unsigned char *data, int length)
{
    unsigned char raw[255];
    int count = 0;
    if (!index)
        return ERROR_INVALID;
    int got = libusb_control_transfer(h, 0x80, 6, (uint16_t)(3 << 8), 0, raw, sizeof raw, 1000);
    if (got < 4)
        return got < 0 ? got : ERROR_IO;
    got = libusb_control_transfer(h, 0x80, 6, (uint16_t)(3 << 8 | index), (uint16_t)(raw[2] | raw[3] << 8), raw,
                                  sizeof raw, 1000);
    if (got < 2 || raw[1] != 3)
        return got < 0 ? got : ERROR_IO;
    for (int at = 2; at + 1 < got && at + 1 < raw[0] && count < length - 1; at += 2)
        data[count++] = raw[at + 1] || raw[at] & 0x80 ? '?' : raw[at];
    data[count] = 0;
    return count;
}
