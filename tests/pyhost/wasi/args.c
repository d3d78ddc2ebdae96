// Arguments and environment reach the program, and nothing else does.
// options: --env COLOUR=red --env 'EMPTY='
// args: one 'two words' '' übung
// prints:
//   [one]
//   [two words]
//   []
//   [übung]
//   red
//   getenv("HOME") == NULL: yes
//   __wasi_environ_sizes_get(&count, &size): ok
//   2 variables, 18 bytes
#include <stdlib.h>
#include <wasi/api.h>
#include "show.h"

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("[%s]\n", argv[i]);
  printf("%s\n", getenv("COLOUR"));
  HOLDS(getenv("HOME") == NULL);
  size_t count, size;
  SHOW_ERRNO(__wasi_environ_sizes_get(&count, &size));
  printf("%zu variables, %zu bytes\n", count, size);
}
