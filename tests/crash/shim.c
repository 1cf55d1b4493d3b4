// Writes down what a process does to the files of one folder, so that a test can say what a disk would hold if the power
// failed at any instant. Loaded with LD_PRELOAD; what was durable when is decided by the model, not here.
//
// CRASH_FOLDER: the folder. CRASH_LOG: where the record goes, outside of the folder.
// While CRASH_FULL names a file that is there, writes fail as on a full disk, or with the error CRASH_ERRNO; while
// CRASH_BROKEN does, syncs fail, and with CRASH_DROPS the file loses what was not synced, as some systems do.
// A record is: kind, length of the name, number, length of the bytes (4 x u64), the name, the bytes.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE, SYNC_BEGIN, SYNC_END, CREATE, UNLINK, RENAME };
enum { FILES = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int out = -1;
static char *names[FILES];
static uint64_t syncs;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void start(void) {
    folder = getenv("CRASH_FOLDER");
    const char *log = getenv("CRASH_LOG");
    if (folder && log) out = REAL(open64)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = REAL(write)(out, at, length);
        if (done <= 0) abort();
        at += done, length -= done;
    }
}

// The lock is held.
static void record(uint64_t kind, const char *name, uint64_t number, const void *bytes, uint64_t length) {
    uint64_t head[4] = {kind, strlen(name), number, length};
    put(head, sizeof head);
    put(name, head[1]);
    put(bytes, length);
}

// The name inside the folder; "" is the folder itself, NULL is elsewhere.
static const char *inside(const char *path) {
    if (out < 0 || !path) return NULL;
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0) return NULL;
    if (path[length] == 0) return "";
    return path[length] == '/' ? path + length + 1 : NULL;
}

// Whether the file that a variable names is there.
static int now(const char *variable) {
    const char *path = getenv(variable);
    return path && access(path, F_OK) == 0;
}

// How a write fails.
static int trouble(void) {
    const char *number = getenv("CRASH_ERRNO");
    return number ? atoi(number) : ENOSPC;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

static int opened(const char *path, int flags, int fd, int existed) {
    const char *name = inside(path);
    if (fd >= 0 && fd < FILES && name) {
        pthread_mutex_lock(&lock);
        free(names[fd]);
        names[fd] = strdup(name);
        if (!existed && (flags & O_CREAT)) record(CREATE, name, 0, "", 0);
        if (existed && (flags & O_TRUNC)) record(TRUNCATE, name, 0, "", 0);
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define OPEN(open)                                                   \
    int open(const char *path, int flags, ...) {                     \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;    \
        va_end(rest);                                                \
        int existed = inside(path) && access(path, F_OK) == 0;       \
        return opened(path, flags, REAL(open)(path, flags, mode), existed); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (name_of(fd)) {
        pthread_mutex_lock(&lock);
        free(names[fd]);
        names[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return REAL(close)(fd);
}

#define PWRITE(pwrite, offset_type)                                                   \
    ssize_t pwrite(int fd, const void *bytes, size_t length, offset_type offset) {    \
        const char *name = name_of(fd);                                               \
        if (!name) return REAL(pwrite)(fd, bytes, length, offset);                    \
        if (now("CRASH_FULL")) return errno = trouble(), -1;                             \
        pthread_mutex_lock(&lock);                                                    \
        ssize_t done = REAL(pwrite)(fd, bytes, length, offset);                       \
        if (done > 0) record(WRITE, name, offset, bytes, done);                       \
        pthread_mutex_unlock(&lock);                                                  \
        return done;                                                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
    const char *name = name_of(fd);
    if (!name) return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&lock);
    ssize_t done = REAL(write)(fd, bytes, length);
    if (done > 0) record(WRITE, name, lseek(fd, 0, SEEK_CUR) - done, bytes, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define FTRUNCATE(ftruncate, offset_type)                       \
    int ftruncate(int fd, offset_type length) {                 \
        const char *name = name_of(fd);                         \
        if (!name) return REAL(ftruncate)(fd, length);          \
        pthread_mutex_lock(&lock);                              \
        int done = REAL(ftruncate)(fd, length);                 \
        if (done == 0) record(TRUNCATE, name, length, "", 0);   \
        pthread_mutex_unlock(&lock);                            \
        return done;                                            \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

// What a file held when it was synced last.
static struct { char *name, *bytes; off_t length; } synced[FILES];

static int synced_of(const char *name) {
    int n = 0;
    while (synced[n].name && strcmp(synced[n].name, name) != 0) n++;
    return n;
}

// The lock is held by the callers of these two.
static void remember(int fd, const char *name) {
    struct stat found;
    if (!getenv("CRASH_DROPS") || !*name || fstat(fd, &found) != 0) return;
    int n = synced_of(name);
    if (!synced[n].name) synced[n].name = strdup(name);
    free(synced[n].bytes);
    synced[n].bytes = malloc(found.st_size + 1);
    synced[n].length = pread(fd, synced[n].bytes, found.st_size, 0);
}

static void drop(int fd, const char *name) {
    if (!getenv("CRASH_DROPS") || !*name) return;
    int n = synced_of(name);
    if (REAL(ftruncate64)(fd, synced[n].length) != 0) abort();
    record(TRUNCATE, name, synced[n].length, "", 0);
    if (synced[n].length == 0) return;
    if (REAL(pwrite64)(fd, synced[n].bytes, synced[n].length, 0) != synced[n].length) abort();
    record(WRITE, name, 0, synced[n].bytes, synced[n].length);
}

// Not synced in truth, only slow: others shall write meanwhile.
#define SYNC(fsync)                                         \
    int fsync(int fd) {                                     \
        const char *name = name_of(fd);                     \
        if (!name) return REAL(fsync)(fd);                  \
        pthread_mutex_lock(&lock);                          \
        uint64_t number = ++syncs;                          \
        record(SYNC_BEGIN, name, number, "", 0);            \
        int broken = now("CRASH_BROKEN");                   \
        if (broken) drop(fd, name);                         \
        else remember(fd, name);                            \
        pthread_mutex_unlock(&lock);                        \
        if (broken) return errno = EIO, -1;                 \
        usleep(100 + number * 7919 % 300);                  \
        pthread_mutex_lock(&lock);                          \
        record(SYNC_END, name, number, "", 0);              \
        pthread_mutex_unlock(&lock);                        \
        return 0;                                           \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int done = REAL(unlink)(path);
    if (done == 0) record(UNLINK, name, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    const char *name = inside(from), *other = inside(to);
    if (!name || !other) return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    int done = REAL(rename)(from, to);
    if (done == 0) record(RENAME, name, 0, other, strlen(other));
    pthread_mutex_unlock(&lock);
    return done;
}
