// Hard links, and the inode they share.
// prints:
//   link("/file", "/other"): 0
//   stat("/other", &s): 0
//   fstat(fd, &t): 0
//   s.st_ino == t.st_ino && s.st_nlink == 2 && s.st_size == 3: yes
//   link("/file", "/other"): File exists
//   link("/none", "/x"): No such file or directory
//   link("/dir", "/x"): Operation not permitted
//   link("/file", "/dir/file/"): No such file or directory
//   symlink("file", "/soft"): 0
//   __wasi_path_link(3, 0, "soft", 3, "soft-too"): ok
//   lstat("/soft-too", &s): 0
//   S_ISLNK(s.st_mode): yes
//   __wasi_path_link(3, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, "soft", 3, "hard"): ok
//   lstat("/hard", &s): 0
//   S_ISREG(s.st_mode) && s.st_nlink == 3: yes
//   unlink("/file"): 0
//   fstat(fd, &s): 0
//   s.st_nlink == 2: yes
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  struct stat s, t;
  int fd = open("/file", O_CREAT | O_RDWR, 0666);
  write(fd, "abc", 3);
  SHOW(link("/file", "/other"));
  SHOW(stat("/other", &s));
  SHOW(fstat(fd, &t));
  HOLDS(s.st_ino == t.st_ino && s.st_nlink == 2 && s.st_size == 3);
  SHOW(link("/file", "/other"));
  SHOW(link("/none", "/x"));
  mkdir("/dir", 0777);
  SHOW(link("/dir", "/x"));
  SHOW(link("/file", "/dir/file/"));
  SHOW(symlink("file", "/soft"));
  SHOW_ERRNO(__wasi_path_link(3, 0, "soft", 3, "soft-too"));
  SHOW(lstat("/soft-too", &s));
  HOLDS(S_ISLNK(s.st_mode));
  SHOW_ERRNO(__wasi_path_link(3, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, "soft", 3, "hard"));
  SHOW(lstat("/hard", &s));
  HOLDS(S_ISREG(s.st_mode) && s.st_nlink == 3);
  SHOW(unlink("/file"));
  SHOW(fstat(fd, &s));
  HOLDS(s.st_nlink == 2);
}
