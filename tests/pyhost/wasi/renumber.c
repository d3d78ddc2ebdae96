// A descriptor takes another's number; a new one takes the lowest that is free.
// prints:
//   __wasi_fd_renumber(a, b): ok
//   pread(b, text, 4, 0): 4
//   in a
//   pread(a, text, 4, 0): Bad file descriptor
//   __wasi_fd_renumber(a, b): Bad file descriptor
//   __wasi_fd_renumber(b, 900): Bad file descriptor
//   __wasi_fd_renumber(b, b): ok
//   pread(b, text, 4, 0): 4
//   open("/a", O_RDONLY) == a: yes
//   close(b): 0
//   close(b): Bad file descriptor
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  char text[8] = {0};
  int a = open("/a", O_CREAT | O_RDWR, 0666), b = open("/b", O_CREAT | O_RDWR, 0666);
  write(a, "in a", 4);
  SHOW_ERRNO(__wasi_fd_renumber(a, b));
  SHOW(pread(b, text, 4, 0));
  printf("%s\n", text);
  SHOW(pread(a, text, 4, 0));
  SHOW_ERRNO(__wasi_fd_renumber(a, b));
  SHOW_ERRNO(__wasi_fd_renumber(b, 900));
  SHOW_ERRNO(__wasi_fd_renumber(b, b));
  SHOW(pread(b, text, 4, 0));
  HOLDS(open("/a", O_RDONLY) == a);  // the lowest number
  SHOW(close(b));
  SHOW(close(b));
  fflush(stdout);
  SHOW_ERRNO(__wasi_fd_renumber(a, 1));
  SHOW(printf("nobody sees this\n") < 0 ? -1 : 0);
}
