// Removing files and folders; what is open lives on.
// prints:
//   rmdir("/dir"): Directory not empty
//   rmdir("/dir/file"): Not a directory
//   unlink("/dir"): Is a directory
//   unlink("/dir/"): Is a directory
//   unlink("/dir/file/"): Not a directory
//   unlink("/none"): No such file or directory
//   unlink("/dir/file"): 0
//   pread(fd, &c, 1, 0): 1
//   rmdir("/dir/"): 0
//   openat(dir, "new", O_CREAT | O_WRONLY, 0666): No such file or directory
//   mkdir("/dir", 0777): 0
//   mkdir("/dir", 0777): File exists
//   mkdir("/none/dir", 0777): No such file or directory
//   mkdir("/slash/", 0777): 0
//   rmdir("/dir/."): Invalid argument
//   rmdir("/slash"): 0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "show.h"

int main(void) {
  char c;
  mkdir("/dir", 0777);
  int fd = open("/dir/file", O_CREAT | O_RDWR, 0666);
  write(fd, "x", 1);
  SHOW(rmdir("/dir"));
  SHOW(rmdir("/dir/file"));
  SHOW(unlink("/dir"));
  SHOW(unlink("/dir/"));
  SHOW(unlink("/dir/file/"));
  SHOW(unlink("/none"));
  SHOW(unlink("/dir/file"));
  SHOW(pread(fd, &c, 1, 0));  // open, without a name
  int dir = open("/dir", O_RDONLY | O_DIRECTORY);
  SHOW(rmdir("/dir/"));
  SHOW(openat(dir, "new", O_CREAT | O_WRONLY, 0666));
  SHOW(mkdir("/dir", 0777));
  SHOW(mkdir("/dir", 0777));
  SHOW(mkdir("/none/dir", 0777));
  SHOW(mkdir("/slash/", 0777));
  SHOW(rmdir("/dir/."));
  SHOW(rmdir("/slash"));
}
