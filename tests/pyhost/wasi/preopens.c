// Two preopened folders, the second read-only: it can be read and nothing else.
// options: --dir FOLDER/more::/more:ro
// prints:
//   __wasi_fd_prestat_get(fd, &stat): ok
//   __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, stat.u.dir.pr_name_len): ok
//   __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, 0): Filename too long
//   3 is /, 1
//   __wasi_fd_prestat_get(fd, &stat): ok
//   __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, stat.u.dir.pr_name_len): ok
//   __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, 0): Filename too long
//   4 is /more, 5
//   __wasi_fd_prestat_get(fd, &stat): Bad file descriptor
//   __wasi_fd_prestat_get(1, &stat): Bad file descriptor
//   open("/more/inside", O_RDONLY): 5
//   open("/more/new", O_RDWR | O_CREAT, 0666): Read-only file system
//   open("/more/inside", O_WRONLY): Read-only file system
//   open("/more/inside", O_RDONLY | O_CREAT, 0666): 6
//   open("/more/inside", O_RDONLY | O_CREAT | O_EXCL, 0666): File exists
//   unlink("/more/inside"): Read-only file system
//   rename("/more/inside", "/out"): Read-only file system
//   link("/more/inside", "/out"): Read-only file system
#include <fcntl.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  for (int fd = 3; fd < 6; fd++) {
    __wasi_prestat_t stat;
    char name[32] = {0};
    SHOW_ERRNO(__wasi_fd_prestat_get(fd, &stat));
    if (__wasi_fd_prestat_get(fd, &stat)) continue;
    SHOW_ERRNO(__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, stat.u.dir.pr_name_len));
    SHOW_ERRNO(__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, 0));
    printf("%d is %s, %zu\n", fd, name, (size_t)stat.u.dir.pr_name_len);
  }
  __wasi_prestat_t stat;
  SHOW_ERRNO(__wasi_fd_prestat_get(1, &stat));
  SHOW(open("/more/inside", O_RDONLY));
  SHOW(open("/more/new", O_RDWR | O_CREAT, 0666));
  SHOW(open("/more/inside", O_WRONLY));
  SHOW(open("/more/inside", O_RDONLY | O_CREAT, 0666));
  SHOW(open("/more/inside", O_RDONLY | O_CREAT | O_EXCL, 0666));
  SHOW(unlink("/more/inside"));
  SHOW(rename("/more/inside", "/out"));
  SHOW(link("/more/inside", "/out"));
}
