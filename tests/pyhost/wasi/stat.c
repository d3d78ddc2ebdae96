// What is known of files by descriptor and by path, with odd spellings of paths.
// prints:
//   fstat(fd, &s): 0
//   S_ISREG(s.st_mode) && s.st_size == 5 && s.st_nlink == 1 && s.st_ino != 0: yes
//   stat("/file", &t): 0
//   s.st_ino == t.st_ino && s.st_dev == t.st_dev && s.st_mtim.tv_sec == t.st_mtim.tv_sec: yes
//   s.st_mtim.tv_sec > 1500000000: yes
//   mkdir("/dir", 0777): 0
//   stat("/dir", &s): 0
//   S_ISDIR(s.st_mode): yes
//   symlink("file", "/link"): 0
//   lstat("/link", &s): 0
//   S_ISLNK(s.st_mode) && s.st_size == 4: yes
//   stat("/link", &s): 0
//   S_ISREG(s.st_mode): yes
//   stat("/file/", &s): Not a directory
//   stat("/file/x", &s): Not a directory
//   stat("/none", &s): No such file or directory
//   __wasi_path_filestat_get(3, 0, "", &raw): No such file or directory
//   stat("/", &s): 0
//   stat("/dir/../dir/.//", &s): 0
//   access("/file", R_OK): 0
//   access("/none", F_OK): No such file or directory
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  struct stat s, t;
  int fd = open("/file", O_CREAT | O_RDWR, 0666);
  write(fd, "12345", 5);
  SHOW(fstat(fd, &s));
  HOLDS(S_ISREG(s.st_mode) && s.st_size == 5 && s.st_nlink == 1 && s.st_ino != 0);
  SHOW(stat("/file", &t));
  HOLDS(s.st_ino == t.st_ino && s.st_dev == t.st_dev && s.st_mtim.tv_sec == t.st_mtim.tv_sec);
  HOLDS(s.st_mtim.tv_sec > 1500000000);
  SHOW(mkdir("/dir", 0777));
  SHOW(stat("/dir", &s));
  HOLDS(S_ISDIR(s.st_mode));
  SHOW(symlink("file", "/link"));
  SHOW(lstat("/link", &s));
  HOLDS(S_ISLNK(s.st_mode) && s.st_size == 4);
  SHOW(stat("/link", &s));
  HOLDS(S_ISREG(s.st_mode));
  SHOW(stat("/file/", &s));
  SHOW(stat("/file/x", &s));
  SHOW(stat("/none", &s));
  __wasi_filestat_t raw;
  SHOW_ERRNO(__wasi_path_filestat_get(3, 0, "", &raw));
  SHOW(stat("/", &s));
  SHOW(stat("/dir/../dir/.//", &s));
  SHOW(access("/file", R_OK));
  SHOW(access("/none", F_OK));
}
