/* Shim: what can a machine do to one process, on purpose and at an exact moment?
 *
 * Preloaded (LD_PRELOAD) into the real binary by the tests of this folder. It stands between the
 * program and libc and knows three tricks, each told by a variable of the environment:
 *
 *   SHIM_CLOCK=FILE           wall time is off by as many seconds as FILE says (8 bytes, the
 *                             machine's order), looked up at every reading, so it can step.
 *   SHIM_STOP=WHEN:TEXT       the process stops itself (SIGSTOP) once: `send`, before the first
 *                             bytes that hold TEXT go to a socket; `locked`, after bytes that hold
 *                             TEXT are written to the store, in the middle of its transaction;
 *                             `commit`, when that transaction has let go of the lock.
 *   SHIM_DISK=WHAT:PART:NTH   trouble with files whose path holds PART: from the NTH write
 *                             transaction on the disk is `full` or its writes fail (`eio`); at the
 *                             NTH it is `torn`: half of a page gets there and the process is
 *                             killed; from the NTH on it cannot be made durable (`sync`). `rofs` and
 *                             `denied` refuse, from the start, to open for writing; `log` only writes
 *                             what happens to the file SHIM_LOG.
 *
 * The system calls are made directly, so that nothing here depends on what it replaces. Leases
 * read CLOCK_BOOTTIME past libc and are out of reach of SHIM_CLOCK, as they are of a real step.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Where SQLite keeps the lock of the one writer, in FILE-shm. */
#define WRITE_LOCK 120

static volatile int64_t *offset;
static const char *stop_text, *disk_part;
static enum { NEVER, SEND, LOCKED, COMMIT, COMMIT_ARMED } stop;
static enum { FINE, FULL, EIO_, TORN, SYNC, ROFS, DENIED, LOG } disk;
static int nth, transactions, log_fd = -1;

static void say(const char *what) {
    if (log_fd >= 0) {
        char line[64];
        int n = snprintf(line, sizeof line, "%s\n", what);
        syscall(SYS_write, log_fd, line, n);
    }
}

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("SHIM_CLOCK");
    if (text) {
        int fd = syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC);
        void *map = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) _exit(97);
        offset = map;
        close(fd);
    }
    if ((text = getenv("SHIM_LOG")))
        log_fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((text = getenv("SHIM_STOP"))) {
        stop_text = strchr(text, ':') + 1;
        stop = text[0] == 's' ? SEND : text[0] == 'l' ? LOCKED : COMMIT;
    }
    if ((text = getenv("SHIM_DISK"))) {
        char *copy = strdup(text), *rest = NULL;
        const char *names[] = {"", "full", "eio", "torn", "sync", "rofs", "denied", "log"};
        char *what = strtok_r(copy, ":", &rest);
        disk_part = strtok_r(NULL, ":", &rest);
        nth = atoi(strtok_r(NULL, ":", &rest));
        for (int i = 1; i < 8; i++)
            if (!strcmp(what, names[i])) disk = i;
    }
}

static int holds(const void *bytes, size_t length, const char *text) {
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static void halt(void) {
    stop = NEVER;
    kill(getpid(), SIGSTOP);
}

/* ---- time ---- */

int clock_gettime(clockid_t clock, struct timespec *at) {
    int done = syscall(SYS_clock_gettime, clock, at);
    if (done == 0 && offset && clock == CLOCK_REALTIME) at->tv_sec += *offset;
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    at->tv_sec = exact.tv_sec;
    at->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (at) *at = exact.tv_sec;
    return exact.tv_sec;
}

/* ---- sockets ---- */

static void before_send(const void *bytes, size_t length) {
    if (log_fd >= 0 && holds(bytes, length, "POST /")) say("send");
    if (stop == SEND && holds(bytes, length, stop_text)) halt();
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    before_send(bytes, length);
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    for (int i = 0; i < count; i++) before_send(parts[i].iov_base, parts[i].iov_len);
    return syscall(SYS_writev, fd, parts, count);
}

/* ---- files ---- */

static int is_disk(const char *path) { return disk && path && strstr(path, disk_part); }

static int is_disk_fd(int fd) {
    char link[32], path[4096];
    if (!disk) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_disk(path);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (writes && (disk == ROFS || disk == DENIED) && is_disk(path)) {
        errno = disk == ROFS ? EROFS : EACCES;
        return -1;
    }
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE(last)                                                                  \
    mode_t mode = 0;                                                                \
    if (flags & (O_CREAT | O_TMPFILE)) {                                            \
        va_list more;                                                               \
        va_start(more, last);                                                       \
        mode = va_arg(more, mode_t);                                                \
        va_end(more);                                                               \
    }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }

int mkdir(const char *path, mode_t mode) {
    struct stat there;
    if ((disk == ROFS || disk == DENIED) && is_disk(path) && stat(path, &there)) {
        errno = disk == ROFS ? EROFS : EACCES;
        return -1;
    }
    return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t at) {
    if (is_disk_fd(fd)) {
        say("write");
        if (transactions >= nth && (disk == FULL || disk == EIO_)) {
            errno = disk == FULL ? ENOSPC : EIO;
            return -1;
        }
        if (transactions >= nth && disk == TORN && length > 1024) {
            syscall(SYS_pwrite64, fd, bytes, length / 2, at);
            kill(getpid(), SIGKILL);
        }
    }
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, at);
    if ((stop == LOCKED || stop == COMMIT) && holds(bytes, length, stop_text)) {
        if (stop == LOCKED) halt();
        else stop = COMMIT_ARMED;
    }
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }

static int synced(int fd, long call) {
    if (is_disk_fd(fd)) {
        if (transactions >= nth && disk == SYNC) {
            errno = EIO;
            return -1;
        }
        say("sync");
    }
    return syscall(call, fd);
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int controlled(int fd, int command, void *argument) {
    struct flock *lock = argument;
    int of_writer = command == F_SETLK && lock->l_whence == SEEK_SET && lock->l_start == WRITE_LOCK;
    int done = syscall(SYS_fcntl, fd, command, argument);
    if (of_writer && done == 0 && lock->l_type == F_WRLCK && is_disk_fd(fd)) {
        transactions++;
        say("begin");
    }
    if (of_writer && lock->l_type == F_UNLCK && stop == COMMIT_ARMED) halt();
    return done;
}
#define ARGUMENT                                                                    \
    va_list more;                                                                   \
    va_start(more, command);                                                        \
    void *argument = va_arg(more, void *);                                          \
    va_end(more);
int fcntl(int fd, int command, ...) { ARGUMENT return controlled(fd, command, argument); }
int fcntl64(int fd, int command, ...) { ARGUMENT return controlled(fd, command, argument); }
