// A stream is opened again on another file.
// prints:
//   out != NULL: yes
//   one
//   two
//   fgets(line, sizeof line, in) == NULL && feof(in): yes
//   freopen("/missing", "r", in) == NULL: yes
#include <unistd.h>
#include "show.h"

int main(void) {
  FILE *out = fopen("/first", "w+");
  fputs("one\n", out);
  out = freopen("/second", "w", out);
  HOLDS(out != NULL);
  fputs("two\n", out);
  fclose(out);
  char line[16];
  FILE *in = fopen("/first", "r");
  printf("%s", fgets(line, sizeof line, in));
  in = freopen("/second", "r", in);
  printf("%s", fgets(line, sizeof line, in));
  HOLDS(fgets(line, sizeof line, in) == NULL && feof(in));
  HOLDS(freopen("/missing", "r", in) == NULL);
}
