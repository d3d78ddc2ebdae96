// Symbolic links: followed, not followed, dangling, in circles, absolute (refused).
// prints:
//   symlink("dir/file", "/to-file"): 0
//   symlink("dir", "/to-dir"): 0
//   symlink("none", "/dangling"): 0
//   symlink("loop", "/loop"): 0
//   symlink("../to-file", "/dir/back"): 0
//   symlink("x", "/to-file"): File exists
//   symlink("/dir/file", "/absolute"): Capabilities insufficient
//   readlink("/to-file", text, sizeof text): 8
//   dir/file
//   readlink("/to-file", text, 3): 3
//   readlink("/dir", text, sizeof text): Invalid argument
//   close(open("/to-file", O_RDONLY)): 0
//   close(open("/to-dir/file", O_RDONLY)): 0
//   close(open("/dir/back", O_RDONLY)): 0
//   close(open("/to-dir/back", O_RDONLY)): 0
//   open("/to-file", O_RDONLY | O_NOFOLLOW): Symbolic link loop
//   open("/to-dir", O_RDONLY | O_DIRECTORY | O_NOFOLLOW): Not a directory
//   open("/dangling", O_RDONLY): No such file or directory
//   open("/loop", O_RDONLY): Symbolic link loop
//   stat("/loop", &s): Symbolic link loop
//   lstat("/loop", &s): 0
//   close(open("/dangling", O_CREAT | O_WRONLY, 0666)): 0
//   stat("/none", &s): 0
//   rmdir("/to-dir"): Not a directory
//   unlink("/to-dir"): 0
//   stat("/dir", &s): 0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "show.h"

int main(void) {
  char text[16] = {0};
  struct stat s;
  mkdir("/dir", 0777);
  close(open("/dir/file", O_CREAT | O_WRONLY, 0666));
  SHOW(symlink("dir/file", "/to-file"));
  SHOW(symlink("dir", "/to-dir"));
  SHOW(symlink("none", "/dangling"));
  SHOW(symlink("loop", "/loop"));
  SHOW(symlink("../to-file", "/dir/back"));
  SHOW(symlink("x", "/to-file"));
  SHOW(symlink("/dir/file", "/absolute"));
  SHOW(readlink("/to-file", text, sizeof text));
  printf("%s\n", text);
  SHOW(readlink("/to-file", text, 3));
  SHOW(readlink("/dir", text, sizeof text));
  SHOW(close(open("/to-file", O_RDONLY)));
  SHOW(close(open("/to-dir/file", O_RDONLY)));
  SHOW(close(open("/dir/back", O_RDONLY)));
  SHOW(close(open("/to-dir/back", O_RDONLY)));
  SHOW(open("/to-file", O_RDONLY | O_NOFOLLOW));
  SHOW(open("/to-dir", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  SHOW(open("/dangling", O_RDONLY));
  SHOW(open("/loop", O_RDONLY));
  SHOW(stat("/loop", &s));
  SHOW(lstat("/loop", &s));
  SHOW(close(open("/dangling", O_CREAT | O_WRONLY, 0666)));
  SHOW(stat("/none", &s));
  SHOW(rmdir("/to-dir"));
  SHOW(unlink("/to-dir"));
  SHOW(stat("/dir", &s));
}
