// Opening: append, exclusive, of the wrong kind, with bad flags.
// prints:
//   lseek(fd, 0, SEEK_SET): 0
//   fcntl(fd, F_GETFL) & O_APPEND ? 1 : 0: 1
//   fcntl(fd, F_SETFL, 0): 0
//   lseek(fd, 0, SEEK_SET): 0
//   read(fd, text, sizeof text): 8
//   [ONE two ]
//   open("/file", O_CREAT | O_EXCL | O_WRONLY, 0666): File exists
//   open("/file", O_RDONLY | O_DIRECTORY): Not a directory
//   open("/", O_WRONLY): Is a directory
//   open("/none/file", O_CREAT | O_WRONLY, 0666): No such file or directory
//   open("/file/", O_RDONLY): Not a directory
//   open(longer, O_RDONLY): Filename too long
//   open("/\xff", O_CREAT | O_WRONLY, 0666): Illegal byte sequence
//   open("/\xed\xa0\x80", O_CREAT | O_WRONLY, 0666): Illegal byte sequence
//   open("/\xc0\xaf", O_CREAT | O_WRONLY, 0666): Illegal byte sequence
//   close(open("/\xf0\x9f\x90\x8d", O_CREAT | O_WRONLY, 0666)): 0
//   read(dir, text, 1): Is a directory
//   write(dir, text, 1): Bad file descriptor
//   lseek(dir, 0, SEEK_SET): Bad file descriptor
//   openat(fd, "x", O_RDONLY): Not a directory
//   __wasi_path_open(3, 0, "file", 64, 0, 0, 0, &out): Invalid argument
//   __wasi_path_open(3, 0, "file", 0, 0, 0, 64, &out): Invalid argument
//   __wasi_path_open(3, 0, "file", 0, 0, 0, 0, (__wasi_fd_t *)0xfffffff0): Bad address
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  char text[16] = {0};
  int fd = open("/file", O_CREAT | O_WRONLY | O_APPEND, 0666);
  write(fd, "one ", 4);
  SHOW(lseek(fd, 0, SEEK_SET));
  write(fd, "two ", 4);
  SHOW(fcntl(fd, F_GETFL) & O_APPEND ? 1 : 0);
  SHOW(fcntl(fd, F_SETFL, 0));
  SHOW(lseek(fd, 0, SEEK_SET));
  write(fd, "ONE", 3);
  fd = open("/file", O_RDONLY);
  SHOW(read(fd, text, sizeof text));
  printf("[%s]\n", text);
  SHOW(open("/file", O_CREAT | O_EXCL | O_WRONLY, 0666));
  SHOW(open("/file", O_RDONLY | O_DIRECTORY));
  SHOW(open("/", O_WRONLY));
  SHOW(open("/none/file", O_CREAT | O_WRONLY, 0666));
  SHOW(open("/file/", O_RDONLY));
  char longer[300];
  memset(longer, 'n', sizeof longer);
  longer[0] = '/', longer[299] = 0;
  SHOW(open(longer, O_RDONLY));
  SHOW(open("/\xff", O_CREAT | O_WRONLY, 0666));
  SHOW(open("/\xed\xa0\x80", O_CREAT | O_WRONLY, 0666));
  SHOW(open("/\xc0\xaf", O_CREAT | O_WRONLY, 0666));
  SHOW(close(open("/\xf0\x9f\x90\x8d", O_CREAT | O_WRONLY, 0666)));
  int dir = open("/", O_RDONLY | O_DIRECTORY);
  SHOW(read(dir, text, 1));
  SHOW(write(dir, text, 1));
  SHOW(lseek(dir, 0, SEEK_SET));
  SHOW(openat(fd, "x", O_RDONLY));
  __wasi_fd_t out;
  SHOW_ERRNO(__wasi_path_open(3, 0, "file", 64, 0, 0, 0, &out));
  SHOW_ERRNO(__wasi_path_open(3, 0, "file", 0, 0, 0, 64, &out));
  SHOW_ERRNO(__wasi_path_open(3, 0, "file", 0, 0, 0, 0, (__wasi_fd_t *)0xfffffff0));
}
