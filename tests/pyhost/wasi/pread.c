// Positioned and scattered transfers leave the position alone; seeks out of range are refused.
// prints:
//   write(fd, "0123456789", 10): 10
//   pread(fd, a, 3, 4): 3
//   456
//   lseek(fd, 0, SEEK_CUR): 10
//   pwrite(fd, "ab", 2, 12): 2
//   lseek(fd, 5, SEEK_SET): 5
//   readv(fd, pieces, 3): 9
//   567|89|00|ab
//   pread(fd, a, 1, 14): 0
//   pread(fd, a, 1, -1): Invalid argument
//   lseek(fd, -1, SEEK_SET): Invalid argument
//   lseek(fd, -2, SEEK_END): 12
//   lseek(fd, 0, 7): Invalid argument
//   lseek(fd, 100, SEEK_END): 114
//   read(fd, a, 1): 0
//   pwrite(read_only, "x", 1, 0): Bad file descriptor
//   write(read_only, "x", 1): Bad file descriptor
//   pread(write_only, a, 1, 0): Bad file descriptor
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "show.h"

int main(void) {
  int fd = open("/file", O_RDWR | O_CREAT, 0666);
  SHOW(write(fd, "0123456789", 10));
  char a[4] = {0}, b[8] = {0};
  SHOW(pread(fd, a, 3, 4));
  printf("%s\n", a);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(pwrite(fd, "ab", 2, 12));
  struct iovec pieces[3] = {{a, 3}, {NULL, 0}, {b, 7}};
  SHOW(lseek(fd, 5, SEEK_SET));
  SHOW(readv(fd, pieces, 3));
  printf("%.3s|%.2s|%d%d|%.2s\n", a, b, b[2], b[3], b + 4);
  SHOW(pread(fd, a, 1, 14));
  SHOW(pread(fd, a, 1, -1));
  SHOW(lseek(fd, -1, SEEK_SET));
  SHOW(lseek(fd, -2, SEEK_END));
  SHOW(lseek(fd, 0, 7));
  SHOW(lseek(fd, 100, SEEK_END));
  SHOW(read(fd, a, 1));
  int read_only = open("/file", O_RDONLY);
  SHOW(pwrite(read_only, "x", 1, 0));
  SHOW(write(read_only, "x", 1));
  int write_only = open("/file", O_WRONLY);
  SHOW(pread(write_only, a, 1, 0));
}
