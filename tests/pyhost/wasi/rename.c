// Renames, onto what is there and into themselves.
// prints:
//   rename("/f", "/h"): 0
//   rename("/f", "/i"): No such file or directory
//   rename("/h", "/g"): 0
//   access("/h", F_OK): No such file or directory
//   rename("/g", "/a"): Is a directory
//   rename("/a", "/g"): Not a directory
//   rename("/a", "/full"): Directory not empty
//   rename("/a", "/b"): 0
//   access("/a", F_OK): No such file or directory
//   rename("/b", "/b/inside"): Invalid argument
//   rename("/full", "/b/full"): 0
//   access("/b/full/x", F_OK): 0
//   rename("/g", "/g"): 0
//   rename("/g", "/none/g"): No such file or directory
//   rename("/g/", "/j"): Not a directory
//   rename("/g", "/j/"): Not a directory
//   rename("/b/", "/c/"): 0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "show.h"

static void make(const char *path) { close(open(path, O_CREAT | O_WRONLY, 0666)); }

int main(void) {
  mkdir("/a", 0777), mkdir("/b", 0777), mkdir("/full", 0777);
  make("/f"), make("/g"), make("/full/x");
  SHOW(rename("/f", "/h"));
  SHOW(rename("/f", "/i"));
  SHOW(rename("/h", "/g"));
  SHOW(access("/h", F_OK));
  SHOW(rename("/g", "/a"));
  SHOW(rename("/a", "/g"));
  SHOW(rename("/a", "/full"));
  SHOW(rename("/a", "/b"));
  SHOW(access("/a", F_OK));
  SHOW(rename("/b", "/b/inside"));
  SHOW(rename("/full", "/b/full"));
  SHOW(access("/b/full/x", F_OK));
  SHOW(rename("/g", "/g"));
  SHOW(rename("/g", "/none/g"));
  SHOW(rename("/g/", "/j"));
  SHOW(rename("/g", "/j/"));
  SHOW(rename("/b/", "/c/"));
}
