// Rights are narrowed by what opens and by fd_fdstat_set_rights, and never come back.
// prints:
//   __wasi_fd_fdstat_get(3, &s): ok
//   s.fs_filetype == __WASI_FILETYPE_DIRECTORY: yes
//   (s.fs_rights_base & (read | write)) == 0 && (s.fs_rights_inheriting & (read | write)) == (read | write): yes
//   __wasi_path_open(3, 0, "file", __WASI_OFLAGS_CREAT, read | write | __WASI_RIGHTS_FD_SEEK, 0, 0, &fd): ok
//   __wasi_fd_fdstat_get(fd, &s): ok
//   s.fs_rights_base == (read | write | __WASI_RIGHTS_FD_SEEK) && s.fs_rights_inheriting == 0: yes
//   __wasi_fd_write(fd, &out, 1, &n): ok
//   __wasi_fd_fdstat_set_rights(fd, read, 0): ok
//   __wasi_fd_write(fd, &out, 1, &n): Capabilities insufficient
//   __wasi_fd_fdstat_set_rights(fd, read | write, 0): Capabilities insufficient
//   __wasi_fd_filestat_set_size(fd, 0): Capabilities insufficient
//   __wasi_path_create_directory(3, "dir"): ok
//   __wasi_path_open(3, 0, "dir", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_PATH_OPEN, read, 0, &dir): ok
//   __wasi_path_create_directory(dir, "x"): Capabilities insufficient
//   __wasi_path_open(dir, 0, "x", __WASI_OFLAGS_CREAT, read, 0, 0, &fd): Capabilities insufficient
//   __wasi_path_filestat_get(dir, 0, ".", &stat): Capabilities insufficient
//   __wasi_path_open(3, 0, "dir/y", __WASI_OFLAGS_CREAT, read | write, 0, 0, &fd): ok
//   __wasi_path_open(dir, 0, "y", 0, read | write, 0, 0, &fd): ok
//   __wasi_fd_fdstat_get(fd, &s): ok
//   s.fs_rights_base == read: yes
#include <wasi/api.h>
#include "show.h"

int main(void) {
  __wasi_fdstat_t s;
  __wasi_fd_t fd, dir;
  const __wasi_rights_t read = __WASI_RIGHTS_FD_READ, write = __WASI_RIGHTS_FD_WRITE;
  SHOW_ERRNO(__wasi_fd_fdstat_get(3, &s));
  HOLDS(s.fs_filetype == __WASI_FILETYPE_DIRECTORY);
  HOLDS((s.fs_rights_base & (read | write)) == 0 && (s.fs_rights_inheriting & (read | write)) == (read | write));
  SHOW_ERRNO(__wasi_path_open(3, 0, "file", __WASI_OFLAGS_CREAT, read | write | __WASI_RIGHTS_FD_SEEK, 0, 0, &fd));
  SHOW_ERRNO(__wasi_fd_fdstat_get(fd, &s));
  HOLDS(s.fs_rights_base == (read | write | __WASI_RIGHTS_FD_SEEK) && s.fs_rights_inheriting == 0);
  __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
  size_t n;
  SHOW_ERRNO(__wasi_fd_write(fd, &out, 1, &n));
  SHOW_ERRNO(__wasi_fd_fdstat_set_rights(fd, read, 0));
  SHOW_ERRNO(__wasi_fd_write(fd, &out, 1, &n));
  SHOW_ERRNO(__wasi_fd_fdstat_set_rights(fd, read | write, 0));
  SHOW_ERRNO(__wasi_fd_filestat_set_size(fd, 0));
  SHOW_ERRNO(__wasi_path_create_directory(3, "dir"));
  SHOW_ERRNO(__wasi_path_open(3, 0, "dir", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_PATH_OPEN, read, 0, &dir));
  SHOW_ERRNO(__wasi_path_create_directory(dir, "x"));
  SHOW_ERRNO(__wasi_path_open(dir, 0, "x", __WASI_OFLAGS_CREAT, read, 0, 0, &fd));
  __wasi_filestat_t stat;
  SHOW_ERRNO(__wasi_path_filestat_get(dir, 0, ".", &stat));
  SHOW_ERRNO(__wasi_path_open(3, 0, "dir/y", __WASI_OFLAGS_CREAT, read | write, 0, 0, &fd));
  SHOW_ERRNO(__wasi_path_open(dir, 0, "y", 0, read | write, 0, 0, &fd));
  SHOW_ERRNO(__wasi_fd_fdstat_get(fd, &s));
  HOLDS(s.fs_rights_base == read);
}
