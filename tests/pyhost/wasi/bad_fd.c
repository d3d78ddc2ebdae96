// A descriptor that is not open is EBADF, whatever the call; no descriptor is a socket.
// prints:
//   __wasi_fd_advise(99, 0, 0, 0): Bad file descriptor
//   __wasi_fd_allocate(99, 0, 1): Bad file descriptor
//   __wasi_fd_close(99): Bad file descriptor
//   __wasi_fd_datasync(99): Bad file descriptor
//   __wasi_fd_fdstat_get(99, &fdstat): Bad file descriptor
//   __wasi_fd_fdstat_set_flags(99, 0): Bad file descriptor
//   __wasi_fd_fdstat_set_rights(99, 0, 0): Bad file descriptor
//   __wasi_fd_filestat_get(99, &stat): Bad file descriptor
//   __wasi_fd_filestat_set_size(99, 0): Bad file descriptor
//   __wasi_fd_filestat_set_times(99, 0, 0, 0): Bad file descriptor
//   __wasi_fd_pread(99, &in, 1, 0, &n): Bad file descriptor
//   __wasi_fd_pwrite(99, &out, 1, 0, &n): Bad file descriptor
//   __wasi_fd_read(99, &in, 1, &n): Bad file descriptor
//   __wasi_fd_readdir(99, buffer, sizeof buffer, 0, &n): Bad file descriptor
//   __wasi_fd_renumber(99, 98): Bad file descriptor
//   __wasi_fd_seek(99, 0, 0, &at): Bad file descriptor
//   __wasi_fd_sync(99): Bad file descriptor
//   __wasi_fd_tell(99, &at): Bad file descriptor
//   __wasi_fd_write(0xffffffff, &out, 1, &n): Bad file descriptor
//   __wasi_path_create_directory(99, "x"): Bad file descriptor
//   __wasi_path_filestat_get(99, 0, "x", &stat): Bad file descriptor
//   __wasi_path_filestat_set_times(99, 0, "x", 0, 0, 0): Bad file descriptor
//   __wasi_path_link(99, 0, "x", 99, "y"): Bad file descriptor
//   __wasi_path_open(99, 0, "x", 0, 0, 0, 0, &fd): Bad file descriptor
//   __wasi_path_readlink(99, "x", buffer, sizeof buffer, &n): Bad file descriptor
//   __wasi_path_remove_directory(99, "x"): Bad file descriptor
//   __wasi_path_rename(99, "x", 99, "y"): Bad file descriptor
//   __wasi_path_symlink("x", 99, "y"): Bad file descriptor
//   __wasi_path_unlink_file(99, "x"): Bad file descriptor
//   __wasi_path_open(1, 0, "x", 0, 0, 0, 0, &fd): Not a directory
//   __wasi_sock_recv(99, &in, 1, 0, &n, &flags): Bad file descriptor
//   __wasi_sock_send(99, &out, 1, 0, &n): Bad file descriptor
//   __wasi_sock_shutdown(99, 1): Bad file descriptor
//   __wasi_sock_recv(3, &in, 1, 0, &n, &flags): Not a socket
//   __wasi_sock_send(3, &out, 1, 0, &n): Not a socket
//   __wasi_sock_shutdown(3, 1): Not a socket
#include <wasi/api.h>
#include "show.h"

int main(void) {
  uint8_t buffer[64];
  size_t n;
  __wasi_filesize_t at;
  __wasi_fd_t fd;
  __wasi_iovec_t in = {buffer, sizeof buffer};
  __wasi_ciovec_t out = {buffer, sizeof buffer};
  __wasi_fdstat_t fdstat;
  __wasi_filestat_t stat;
  SHOW_ERRNO(__wasi_fd_advise(99, 0, 0, 0));
  SHOW_ERRNO(__wasi_fd_allocate(99, 0, 1));
  SHOW_ERRNO(__wasi_fd_close(99));
  SHOW_ERRNO(__wasi_fd_datasync(99));
  SHOW_ERRNO(__wasi_fd_fdstat_get(99, &fdstat));
  SHOW_ERRNO(__wasi_fd_fdstat_set_flags(99, 0));
  SHOW_ERRNO(__wasi_fd_fdstat_set_rights(99, 0, 0));
  SHOW_ERRNO(__wasi_fd_filestat_get(99, &stat));
  SHOW_ERRNO(__wasi_fd_filestat_set_size(99, 0));
  SHOW_ERRNO(__wasi_fd_filestat_set_times(99, 0, 0, 0));
  SHOW_ERRNO(__wasi_fd_pread(99, &in, 1, 0, &n));
  SHOW_ERRNO(__wasi_fd_pwrite(99, &out, 1, 0, &n));
  SHOW_ERRNO(__wasi_fd_read(99, &in, 1, &n));
  SHOW_ERRNO(__wasi_fd_readdir(99, buffer, sizeof buffer, 0, &n));
  SHOW_ERRNO(__wasi_fd_renumber(99, 98));
  SHOW_ERRNO(__wasi_fd_seek(99, 0, 0, &at));
  SHOW_ERRNO(__wasi_fd_sync(99));
  SHOW_ERRNO(__wasi_fd_tell(99, &at));
  SHOW_ERRNO(__wasi_fd_write(0xffffffff, &out, 1, &n));
  SHOW_ERRNO(__wasi_path_create_directory(99, "x"));
  SHOW_ERRNO(__wasi_path_filestat_get(99, 0, "x", &stat));
  SHOW_ERRNO(__wasi_path_filestat_set_times(99, 0, "x", 0, 0, 0));
  SHOW_ERRNO(__wasi_path_link(99, 0, "x", 99, "y"));
  SHOW_ERRNO(__wasi_path_open(99, 0, "x", 0, 0, 0, 0, &fd));
  SHOW_ERRNO(__wasi_path_readlink(99, "x", buffer, sizeof buffer, &n));
  SHOW_ERRNO(__wasi_path_remove_directory(99, "x"));
  SHOW_ERRNO(__wasi_path_rename(99, "x", 99, "y"));
  SHOW_ERRNO(__wasi_path_symlink("x", 99, "y"));
  SHOW_ERRNO(__wasi_path_unlink_file(99, "x"));
  SHOW_ERRNO(__wasi_path_open(1, 0, "x", 0, 0, 0, 0, &fd));
  __wasi_roflags_t flags;
  SHOW_ERRNO(__wasi_sock_recv(99, &in, 1, 0, &n, &flags));
  SHOW_ERRNO(__wasi_sock_send(99, &out, 1, 0, &n));
  SHOW_ERRNO(__wasi_sock_shutdown(99, 1));
  SHOW_ERRNO(__wasi_sock_recv(3, &in, 1, 0, &n, &flags));
  SHOW_ERRNO(__wasi_sock_send(3, &out, 1, 0, &n));
  SHOW_ERRNO(__wasi_sock_shutdown(3, 1));
}
