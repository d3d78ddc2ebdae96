// Sizes: cut, stretched, allocated; sync and advice.
// prints:
//   ftruncate(fd, 3): 0
//   size_of(fd): 3
//   ftruncate(fd, 6): 0
//   pread(fd, text, 3, 3): 3
//   text[0] == 0 && text[1] == 0 && text[2] == 0: yes
//   lseek(fd, 0, SEEK_CUR): 8
//   truncate("/file", 2): 0
//   size_of(fd): 2
//   ftruncate(fd, -1): Invalid argument
//   ftruncate(1, 0): Invalid argument
//   posix_fallocate(fd, 0, 100): 0
//   size_of(fd): 100
//   posix_fallocate(fd, 10, 20): 0
//   size_of(fd): 100
//   __wasi_fd_allocate(fd, 0, 0): Invalid argument
//   __wasi_fd_allocate(fd, 1ull << 63, 1): Invalid argument
//   __wasi_fd_allocate(1, 0, 1): Invalid seek
//   ftruncate(read_only, 0) < 0: yes
//   close(open("/file", O_WRONLY | O_TRUNC)): 0
//   size_of(fd): 0
//   fsync(fd): 0
//   fdatasync(fd): 0
//   __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_SEQUENTIAL): ok
//   __wasi_fd_advise(fd, 0, 0, 77): Invalid argument
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

static long long size_of(int fd) {
  struct stat s;
  fstat(fd, &s);
  return s.st_size;
}

int main(void) {
  char text[4] = "???";
  int fd = open("/file", O_CREAT | O_RDWR, 0666);
  write(fd, "12345678", 8);
  SHOW(ftruncate(fd, 3));
  SHOW(size_of(fd));
  SHOW(ftruncate(fd, 6));
  SHOW(pread(fd, text, 3, 3));
  HOLDS(text[0] == 0 && text[1] == 0 && text[2] == 0);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(truncate("/file", 2));
  SHOW(size_of(fd));
  SHOW(ftruncate(fd, -1));
  SHOW(ftruncate(1, 0));
  SHOW(posix_fallocate(fd, 0, 100));
  SHOW(size_of(fd));
  SHOW(posix_fallocate(fd, 10, 20));
  SHOW(size_of(fd));
  SHOW_ERRNO(__wasi_fd_allocate(fd, 0, 0));
  SHOW_ERRNO(__wasi_fd_allocate(fd, 1ull << 63, 1));
  SHOW_ERRNO(__wasi_fd_allocate(1, 0, 1));
  int read_only = open("/file", O_RDONLY);
  HOLDS(ftruncate(read_only, 0) < 0);
  SHOW(close(open("/file", O_WRONLY | O_TRUNC)));
  SHOW(size_of(fd));
  SHOW(fsync(fd));
  SHOW(fdatasync(fd));
  SHOW_ERRNO(__wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_SEQUENTIAL));
  SHOW_ERRNO(__wasi_fd_advise(fd, 0, 0, 77));
}
