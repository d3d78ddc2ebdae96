// No path leads out of a preopened folder: by dots, absolute, by links of the guest's or of the host's making.
// prints:
//   at("dir/../file"): ok
//   at(".."): Capabilities insufficient
//   at("../secret"): Capabilities insufficient
//   at("dir/../../secret"): Capabilities insufficient
//   at("/etc/passwd"): Capabilities insufficient
//   stat_at(".."): Capabilities insufficient
//   stat_at("/"): Capabilities insufficient
//   __wasi_path_create_directory(3, "../made"): Capabilities insufficient
//   __wasi_path_create_directory(3, ".."): Capabilities insufficient
//   __wasi_path_unlink_file(3, "../secret"): Capabilities insufficient
//   __wasi_path_remove_directory(3, "dir/../.."): Capabilities insufficient
//   __wasi_path_rename(3, "file", 3, "../stolen"): Capabilities insufficient
//   __wasi_path_rename(3, "../secret", 3, "mine"): Capabilities insufficient
//   __wasi_path_link(3, 0, "../secret", 3, "mine"): Capabilities insufficient
//   __wasi_path_link(3, 0, "file", 3, "../stolen"): Capabilities insufficient
//   __wasi_path_symlink("x", 3, "../link"): Capabilities insufficient
//   __wasi_path_symlink("../secret", 3, "out"): ok
//   __wasi_path_symlink("../../..", 3, "dir/up"): ok
//   at("out"): Capabilities insufficient
//   stat_at("out"): Capabilities insufficient
//   at("dir/up/etc/passwd"): Capabilities insufficient
//   stat_at("dir/up"): Capabilities insufficient
//   __wasi_path_unlink_file(3, "dir/up/secret"): Capabilities insufficient
//   __wasi_path_filestat_set_times(3, 1, "out", 0, 0, __WASI_FSTFLAGS_MTIM_NOW): Capabilities insufficient
//   __wasi_path_link(3, 1, "out", 3, "mine"): Capabilities insufficient
//   __wasi_path_open(3, 0, "dir", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_PATH_OPEN, 0, 0, &dir): ok
//   __wasi_path_open(dir, 0, "..", 0, 0, 0, 0, &fd): Capabilities insufficient
//   __wasi_path_open(dir, 0, "../file", 0, 0, 0, 0, &fd): Capabilities insufficient
//   at("host-link"): Capabilities insufficient
//   at("host-root/etc/passwd"): Capabilities insufficient
//   stat_at("host-link"): Capabilities insufficient
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

static int at(const char *path) {
  __wasi_fd_t fd;
  return __wasi_path_open(3, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, 0, 0, 0, 0, &fd);
}
static int stat_at(const char *path) {
  __wasi_filestat_t s;
  return __wasi_path_filestat_get(3, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, &s);
}

int main(void) {
  mkdir("/dir", 0777);
  close(open("/file", O_CREAT | O_WRONLY, 0666));
  SHOW_ERRNO(at("dir/../file"));
  SHOW_ERRNO(at(".."));
  SHOW_ERRNO(at("../secret"));
  SHOW_ERRNO(at("dir/../../secret"));
  SHOW_ERRNO(at("/etc/passwd"));
  SHOW_ERRNO(stat_at(".."));
  SHOW_ERRNO(stat_at("/"));
  SHOW_ERRNO(__wasi_path_create_directory(3, "../made"));
  SHOW_ERRNO(__wasi_path_create_directory(3, ".."));
  SHOW_ERRNO(__wasi_path_unlink_file(3, "../secret"));
  SHOW_ERRNO(__wasi_path_remove_directory(3, "dir/../.."));
  SHOW_ERRNO(__wasi_path_rename(3, "file", 3, "../stolen"));
  SHOW_ERRNO(__wasi_path_rename(3, "../secret", 3, "mine"));
  SHOW_ERRNO(__wasi_path_link(3, 0, "../secret", 3, "mine"));
  SHOW_ERRNO(__wasi_path_link(3, 0, "file", 3, "../stolen"));
  SHOW_ERRNO(__wasi_path_symlink("x", 3, "../link"));
  // A link may say what it likes; following it does not leave.
  SHOW_ERRNO(__wasi_path_symlink("../secret", 3, "out"));
  SHOW_ERRNO(__wasi_path_symlink("../../..", 3, "dir/up"));
  SHOW_ERRNO(at("out"));
  SHOW_ERRNO(stat_at("out"));
  SHOW_ERRNO(at("dir/up/etc/passwd"));
  SHOW_ERRNO(stat_at("dir/up"));
  SHOW_ERRNO(__wasi_path_unlink_file(3, "dir/up/secret"));
  SHOW_ERRNO(__wasi_path_filestat_set_times(3, 1, "out", 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
  SHOW_ERRNO(__wasi_path_link(3, 1, "out", 3, "mine"));
  // A directory is no way up either.
  __wasi_fd_t dir, fd;
  SHOW_ERRNO(__wasi_path_open(3, 0, "dir", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_PATH_OPEN, 0, 0, &dir));
  SHOW_ERRNO(__wasi_path_open(dir, 0, "..", 0, 0, 0, 0, &fd));
  SHOW_ERRNO(__wasi_path_open(dir, 0, "../file", 0, 0, 0, 0, &fd));
  // What the host put there: links to absolute places and up.
  SHOW_ERRNO(at("host-link"));
  SHOW_ERRNO(at("host-root/etc/passwd"));
  SHOW_ERRNO(stat_at("host-link"));
}
