// Two folders of one file system: what may be moved from one to the other, and that neither can be moved itself.
// options: --dir FOLDER/more::/more
// prints:
//   rename("/file", "/more/file"): 0
//   link("/more/file", "/file"): 0
//   rename("/dir", "/more/dir"): 0
//   rename("/more/inside", "/inside"): 0
//   link("/inside", "/more/inside"): 0
//   rename("/more", "/less"): Resource busy
//   rename("/file", "/more"): Resource busy
//   access("/more/../file", F_OK): Capabilities insufficient
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "show.h"

int main(void) {
  close(open("/file", O_CREAT | O_WRONLY, 0666));
  mkdir("/dir", 0777);
  SHOW(rename("/file", "/more/file"));
  SHOW(link("/more/file", "/file"));
  SHOW(rename("/dir", "/more/dir"));
  SHOW(rename("/more/inside", "/inside"));
  SHOW(link("/inside", "/more/inside"));
  SHOW(rename("/more", "/less"));
  SHOW(rename("/file", "/more"));
  SHOW(access("/more/../file", F_OK));
}
