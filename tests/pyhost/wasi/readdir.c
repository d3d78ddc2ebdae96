// Directory entries: cookies, short buffers, inodes, removal while reading.
// prints:
//   302 entries
//   0 zero inodes, 2 dots, 3 directories, 0 other inodes
//   3 after a rewind
//   __wasi_fd_readdir(fd, buffer, 10, 0, &used): ok
//   10 used of 10
//   __wasi_fd_readdir(fd, buffer, sizeof buffer, 1, &used): ok
//   cookie 1 gives .., then 2
//   __wasi_fd_readdir(fd, buffer, sizeof buffer, 1000, &used): ok
//   0 used at the end
//   __wasi_fd_readdir(1, buffer, sizeof buffer, 0, &used): Not a directory
//   opendir("/d/missing") == NULL && errno == ENOENT: yes
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

static int names(const char *path) {
  DIR *dir = opendir(path);
  int count = 0;
  for (struct dirent *e; (e = readdir(dir));) count++;
  closedir(dir);
  return count;
}

int main(void) {
  char path[32];
  mkdir("/d", 0777);
  for (int i = 0; i < 300; i++) {
    snprintf(path, sizeof path, "/d/entry-%03d", i);
    if (i == 7) mkdir(path, 0777);
    else close(open(path, O_CREAT | O_WRONLY, 0666));
  }
  printf("%d entries\n", names("/d"));

  DIR *dir = opendir("/d");
  int zero = 0, dots = 0, directories = 0, mismatched = 0;
  for (struct dirent *e; (e = readdir(dir));) {
    zero += e->d_ino == 0;
    dots += e->d_name[0] == '.';
    directories += e->d_type == DT_DIR;
    struct stat s;
    if (e->d_name[0] != '.') {
      snprintf(path, sizeof path, "/d/%s", e->d_name);
      mismatched += stat(path, &s) != 0 || s.st_ino != e->d_ino;
      if (e->d_type != DT_DIR) unlink(path);  // while it is read
    }
  }
  printf("%d zero inodes, %d dots, %d directories, %d other inodes\n", zero, dots, directories, mismatched);
  rewinddir(dir);
  int again = 0;
  while (readdir(dir)) again++;
  printf("%d after a rewind\n", again);
  closedir(dir);

  int fd = open("/d", O_RDONLY | O_DIRECTORY);
  uint8_t buffer[64];
  size_t used;
  SHOW_ERRNO(__wasi_fd_readdir(fd, buffer, 10, 0, &used));
  printf("%zu used of 10\n", used);
  SHOW_ERRNO(__wasi_fd_readdir(fd, buffer, sizeof buffer, 1, &used));
  __wasi_dirent_t entry;
  memcpy(&entry, buffer, sizeof entry);
  printf("cookie 1 gives %.*s, then %llu\n", (int)entry.d_namlen, buffer + sizeof entry, entry.d_next);
  SHOW_ERRNO(__wasi_fd_readdir(fd, buffer, sizeof buffer, 1000, &used));
  printf("%zu used at the end\n", used);
  SHOW_ERRNO(__wasi_fd_readdir(1, buffer, sizeof buffer, 0, &used));
  HOLDS(opendir("/d/missing") == NULL && errno == ENOENT);
}
