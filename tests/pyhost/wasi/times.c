// Timestamps: by descriptor, by path, through and on a link, omitted and now.
// prints:
//   futimens(fd, both): 0
//   /file: 1000000000.000000111 1100000000.000000222
//   utimensat(AT_FDCWD, "/file", omit, 0): 0
//   /file: 1000000000.000000111 1200000000.000000333
//   __wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM_NOW): ok
//   s.st_atim.tv_sec > 1500000000 && s.st_mtim.tv_sec == 1200000000: yes
//   utimensat(AT_FDCWD, "/link", both, AT_SYMLINK_NOFOLLOW): 0
//   s.st_mtim.tv_sec == 1200000000: yes
//   utimensat(AT_FDCWD, "/link", both, 0): 0
//   /file: 1000000000.000000111 1100000000.000000222
//   utimensat(AT_FDCWD, "/none", both, 0): No such file or directory
//   __wasi_fd_filestat_set_times(fd, 1, 2, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW): Invalid argument
//   __wasi_fd_filestat_set_times(fd, 1, 2, 16): Invalid argument
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

static void show_times(const char *path) {
  struct stat s;
  lstat(path, &s);
  printf("%s: %lld.%09ld %lld.%09ld\n", path, (long long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long long)s.st_mtim.tv_sec,
         s.st_mtim.tv_nsec);
}

int main(void) {
  const struct timespec both[2] = {{1000000000, 111}, {1100000000, 222}};
  const struct timespec omit[2] = {{0, UTIME_OMIT}, {1200000000, 333}};
  int fd = open("/file", O_CREAT | O_RDWR, 0666);
  SHOW(futimens(fd, both));
  show_times("/file");
  SHOW(utimensat(AT_FDCWD, "/file", omit, 0));
  show_times("/file");
  SHOW_ERRNO(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM_NOW));
  struct stat s;
  fstat(fd, &s);
  HOLDS(s.st_atim.tv_sec > 1500000000 && s.st_mtim.tv_sec == 1200000000);
  symlink("file", "/link");
  SHOW(utimensat(AT_FDCWD, "/link", both, AT_SYMLINK_NOFOLLOW));
  fstat(fd, &s);
  HOLDS(s.st_mtim.tv_sec == 1200000000);
  SHOW(utimensat(AT_FDCWD, "/link", both, 0));
  show_times("/file");
  SHOW(utimensat(AT_FDCWD, "/none", both, 0));
  SHOW_ERRNO(__wasi_fd_filestat_set_times(fd, 1, 2, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW));
  SHOW_ERRNO(__wasi_fd_filestat_set_times(fd, 1, 2, 16));
}
