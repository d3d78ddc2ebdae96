// Addresses outside of memory are EFAULT, whatever the call.
// prints:
//   __wasi_args_get(WILD(uint8_t *), buffer): Bad address
//   __wasi_args_sizes_get(WILD(size_t), &n): Bad address
//   __wasi_environ_sizes_get(WILD(size_t), &n): Bad address
//   __wasi_clock_time_get(0, 0, (__wasi_timestamp_t *)0xfffffffc): Bad address
//   __wasi_clock_res_get(0, (__wasi_timestamp_t *)0xfffffffc): Bad address
//   __wasi_fd_fdstat_get(fd, WILD(__wasi_fdstat_t)): Bad address
//   __wasi_fd_filestat_get(fd, WILD(__wasi_filestat_t)): Bad address
//   __wasi_fd_prestat_get(3, WILD(__wasi_prestat_t)): Bad address
//   __wasi_fd_prestat_dir_name(3, (uint8_t *)0xffffffff, 1): Bad address
//   __wasi_fd_write(fd, WILD(__wasi_ciovec_t), 1, &n): Bad address
//   __wasi_fd_write(fd, &far, 1, &n): Bad address
//   __wasi_fd_write(fd, &wrap, 1, &n): Bad address
//   __wasi_fd_write(fd, &out, 0x20000000, &n): Invalid argument
//   __wasi_fd_write(fd, &out, 1, WILD(size_t) + 1): Bad address
//   __wasi_fd_read(fd, &huge, 1, &n): Bad address
//   __wasi_fd_read(fd, &in, 1, WILD(size_t) + 1): Bad address
//   __wasi_fd_pread(fd, WILD(__wasi_iovec_t), 1, 0, &n): Bad address
//   __wasi_fd_pwrite(fd, &far, 1, 0, &n): Bad address
//   __wasi_fd_seek(fd, 0, 0, (__wasi_filesize_t *)0xfffffffc): Bad address
//   __wasi_fd_readdir(3, WILD(uint8_t), 64, 0, &n): Bad address
//   __wasi_path_filestat_get(3, 0, "file", WILD(__wasi_filestat_t)): Bad address
//   __wasi_path_readlink(3, "file", WILD(uint8_t), 64, &n): Bad address
//   __wasi_poll_oneoff(WILD(__wasi_subscription_t), WILD(__wasi_event_t), 1, &n): Bad address
//   __wasi_poll_oneoff((void *)buffer, (void *)buffer, 0x10000000, &n): Invalid argument
//   __wasi_random_get(WILD(uint8_t), 64): Bad address
#include <fcntl.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

#define WILD(type) ((type *)0xfffffff8)

int main(void) {
  uint8_t buffer[64];
  size_t n;
  int fd = open("/file", O_CREAT | O_RDWR, 0666);
  __wasi_iovec_t in = {buffer, sizeof buffer}, huge = {buffer, 0xffffffff};
  __wasi_ciovec_t far = {WILD(uint8_t), 16}, out = {buffer, 3}, wrap = {(uint8_t *)16, 0xfffffff8};
  SHOW_ERRNO(__wasi_args_get(WILD(uint8_t *), buffer));
  SHOW_ERRNO(__wasi_args_sizes_get(WILD(size_t), &n));
  SHOW_ERRNO(__wasi_environ_sizes_get(WILD(size_t), &n));
  SHOW_ERRNO(__wasi_clock_time_get(0, 0, (__wasi_timestamp_t *)0xfffffffc));
  SHOW_ERRNO(__wasi_clock_res_get(0, (__wasi_timestamp_t *)0xfffffffc));
  SHOW_ERRNO(__wasi_fd_fdstat_get(fd, WILD(__wasi_fdstat_t)));
  SHOW_ERRNO(__wasi_fd_filestat_get(fd, WILD(__wasi_filestat_t)));
  SHOW_ERRNO(__wasi_fd_prestat_get(3, WILD(__wasi_prestat_t)));
  SHOW_ERRNO(__wasi_fd_prestat_dir_name(3, (uint8_t *)0xffffffff, 1));
  SHOW_ERRNO(__wasi_fd_write(fd, WILD(__wasi_ciovec_t), 1, &n));
  SHOW_ERRNO(__wasi_fd_write(fd, &far, 1, &n));
  SHOW_ERRNO(__wasi_fd_write(fd, &wrap, 1, &n));
  SHOW_ERRNO(__wasi_fd_write(fd, &out, 0x20000000, &n));
  SHOW_ERRNO(__wasi_fd_write(fd, &out, 1, WILD(size_t) + 1));
  SHOW_ERRNO(__wasi_fd_read(fd, &huge, 1, &n));
  SHOW_ERRNO(__wasi_fd_read(fd, &in, 1, WILD(size_t) + 1));
  SHOW_ERRNO(__wasi_fd_pread(fd, WILD(__wasi_iovec_t), 1, 0, &n));
  SHOW_ERRNO(__wasi_fd_pwrite(fd, &far, 1, 0, &n));
  SHOW_ERRNO(__wasi_fd_seek(fd, 0, 0, (__wasi_filesize_t *)0xfffffffc));
  SHOW_ERRNO(__wasi_fd_readdir(3, WILD(uint8_t), 64, 0, &n));
  SHOW_ERRNO(__wasi_path_filestat_get(3, 0, "file", WILD(__wasi_filestat_t)));
  SHOW_ERRNO(__wasi_path_readlink(3, "file", WILD(uint8_t), 64, &n));
  SHOW_ERRNO(__wasi_poll_oneoff(WILD(__wasi_subscription_t), WILD(__wasi_event_t), 1, &n));
  SHOW_ERRNO(__wasi_poll_oneoff((void *)buffer, (void *)buffer, 0x10000000, &n));
  SHOW_ERRNO(__wasi_random_get(WILD(uint8_t), 64));
}
