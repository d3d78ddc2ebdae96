// Descriptors run out with EMFILE, and come back.
// prints:
//   No file descriptors available after 1020 more, the highest 1023
//   close(highest): 0
//   open("/file", O_RDONLY) == highest: yes
#include <fcntl.h>
#include <unistd.h>
#include "show.h"

int main(void) {
  int count = 0, fd, highest = 0;
  close(open("/file", O_CREAT | O_WRONLY, 0666));
  while ((fd = open("/file", O_RDONLY)) >= 0 && count < 100000) count++, highest = fd;
  printf("%s after %d more, the highest %d\n", strerror(errno), count, highest);
  SHOW(close(highest));
  HOLDS(open("/file", O_RDONLY) == highest);
}
