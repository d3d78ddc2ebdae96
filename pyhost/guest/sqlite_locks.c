// SQLite's locks in a sandbox, for which WASI has no call.
//
// SQLite's VFS "unix" keeps the locks that one process has on a file by itself: connections of a sandbox read together, and one
// writes. It asks fcntl() for what other processes have to see. Others reach a file only where it is a shared one (faasm://, a folder of
// the machine), so here fcntl() takes one lock for all of the process: a folder beside the file, as the VFS "unix-dotfile" makes it,
// while this process has any lock on the file.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite3.h"

// The numbers that sqlite3.c gives them where the C library has none.
#ifndef F_RDLCK
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#endif
#ifndef F_GETLK
#define F_GETLK 12
#define F_SETLK 13
#endif

// The bytes that SQLite locks: PENDING, RESERVED, and all of SHARED, which is locked as one.
enum { FirstByte = 0x40000000, Ranges = 3 };
static const int RangeStarts[Ranges + 1] = {FirstByte, FirstByte + 1, FirstByte + 2, FirstByte + 512};

struct file {
  struct file* next;
  int users;        // descriptors
  unsigned locked;  // a bit for each range
  char* folder;     // which is the lock
};
struct descriptor {
  struct descriptor* next;
  int fd;
  struct file* file;
};
static struct file* files;
static struct descriptor* descriptors;

static struct file* file_of(const char* path) {
  size_t size = strlen(path);
  for (struct file* file = files; file; file = file->next)
    if (strncmp(file->folder, path, size) == 0 && strcmp(file->folder + size, ".lock") == 0) return file;
  struct file* file = calloc(1, sizeof *file);
  char* folder = malloc(size + sizeof ".lock");
  if (!file || !folder) {
    free(file);
    free(folder);
    return NULL;
  }
  memcpy(folder, path, size);
  strcpy(folder + size, ".lock");
  *file = (struct file){files, 0, 0, folder};
  return files = file;
}

static int locks_open(const char* path, int flags, int mode) {
  int fd = open(path, flags, mode);
  if (fd < 0) return fd;
  struct descriptor* descriptor = malloc(sizeof *descriptor);
  struct file* file = descriptor ? file_of(path) : NULL;
  if (!file) {
    free(descriptor);
    close(fd);
    errno = ENOMEM;
    return -1;
  }
  file->users++;
  *descriptor = (struct descriptor){descriptors, fd, file};
  descriptors = descriptor;
  return fd;
}

static void release(struct file* file) {
  if (file->locked) rmdir(file->folder);
  file->locked = 0;
}

static void forget(struct file* file) {
  release(file);
  struct file** at = &files;
  while (*at != file) at = &(*at)->next;
  *at = file->next;
  free(file->folder);
  free(file);
}

static int locks_close(int fd) {
  for (struct descriptor** at = &descriptors; *at; at = &(*at)->next) {
    struct descriptor* descriptor = *at;
    if (descriptor->fd != fd) continue;
    *at = descriptor->next;
    if (--descriptor->file->users == 0) forget(descriptor->file);
    free(descriptor);
    break;
  }
  return close(fd);
}

static unsigned ranges_of(const struct flock* lock) {
  unsigned ranges = 0;
  for (int i = 0; i < Ranges; i++)
    if (lock->l_start < RangeStarts[i + 1] && (lock->l_len == 0 || lock->l_start + lock->l_len > RangeStarts[i])) ranges |= 1u << i;
  return ranges;
}

static int set_lock(struct file* file, const struct flock* lock) {
  unsigned ranges = ranges_of(lock);
  if (lock->l_type == F_UNLCK) {
    if (file->locked && (file->locked & ~ranges) == 0) release(file);
    file->locked &= ~ranges;
    return 0;
  }
  if (!file->locked && mkdir(file->folder, 0777) < 0) {
    // Nobody locks where nothing can be made: a file there is only read.
    if (errno == EROFS && lock->l_type == F_RDLCK) return 0;
    if (errno == EEXIST) errno = EAGAIN;
    return -1;
  }
  file->locked |= ranges;
  return 0;
}

/// Whether another process has a lock that is in the way of this one.
static int get_lock(const struct file* file, struct flock* lock) {
  if (file->locked || access(file->folder, F_OK) < 0) lock->l_type = F_UNLCK;
  return 0;
}

static int locks_fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);  // an int is as wide
  va_end(rest);
  if (command != F_GETLK && command != F_SETLK) return fcntl(fd, command, argument);
  for (const struct descriptor* descriptor = descriptors; descriptor; descriptor = descriptor->next)
    if (descriptor->fd == fd) return command == F_GETLK ? get_lock(descriptor->file, argument) : set_lock(descriptor->file, argument);
  errno = EBADF;
  return -1;
}

/// SQLITE_EXTRA_INIT: the end of sqlite3_initialize().
int krait_sqlite_init(const char* unused) {
  (void)unused;
  sqlite3_vfs* unix_vfs = sqlite3_vfs_find("unix");
  if (!unix_vfs) return SQLITE_ERROR;
  const struct {
    const char* name;
    sqlite3_syscall_ptr call;
  } calls[] = {
      {"open", (sqlite3_syscall_ptr)locks_open},
      {"close", (sqlite3_syscall_ptr)locks_close},
      {"fcntl", (sqlite3_syscall_ptr)locks_fcntl},
  };
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    int status = unix_vfs->xSetSystemCall(unix_vfs, calls[i].name, calls[i].call);
    if (status != SQLITE_OK) return status;
  }
  return sqlite3_vfs_register(unix_vfs, 1);
}
