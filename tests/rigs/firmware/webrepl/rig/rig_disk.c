// A disk of RIG_DISK bytes: beyond them a write fails with ENOSPC, as on a board's flash, and os.statvfs says how much is
// left. Files count in blocks. Without RIG_DISK the disk is the host's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK (4096)

static size_t used_blocks;

static size_t blocks(off_t size) {
    return (size + BLOCK - 1) / BLOCK;
}

static int count(const char *path, const struct stat *found, int kind, struct FTW *where) {
    (void)path;
    (void)where;
    used_blocks += kind == FTW_F ? blocks(found->st_size) : 0;
    return 0;
}

// Free blocks, or -1 without a limit.
static long free_blocks(void) {
    const char *limit = getenv("RIG_DISK");
    if (limit == NULL) {
        return -1;
    }
    used_blocks = 0;
    nftw("/", count, 8, FTW_PHYS);
    long left = atol(limit) / BLOCK - (long)used_blocks;
    return left < 0 ? 0 : left;
}

ssize_t __real_write(int descriptor, const void *data, size_t size);
ssize_t __wrap_write(int descriptor, const void *data, size_t size) {
    struct stat file;
    if (fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode)) {
        long left = free_blocks();
        off_t at = fcntl(descriptor, F_GETFL) & O_APPEND ? file.st_size : lseek(descriptor, 0, SEEK_CUR);
        if (left >= 0 && blocks(at + size) > blocks(file.st_size) + left) {
            errno = ENOSPC;
            return -1;
        }
    }
    return __real_write(descriptor, data, size);
}

// With 64-bit file sizes glibc gives statvfs this name.
int __real_statvfs64(const char *path, struct statvfs64 *answer);
int __wrap_statvfs64(const char *path, struct statvfs64 *answer) {
    int result = __real_statvfs64(path, answer);
    long left = free_blocks();
    if (result == 0 && left >= 0) {
        answer->f_bsize = answer->f_frsize = BLOCK;
        answer->f_blocks = atol(getenv("RIG_DISK")) / BLOCK;
        answer->f_bfree = answer->f_bavail = left;
    }
    return result;
}
