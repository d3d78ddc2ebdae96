// The status given to exit, behind what was registered for it.
// status: 42
// prints:
//   before
//   at exit
#include <stdlib.h>
#include "show.h"

static void last(void) { printf("at exit\n"); }

int main(void) {
  atexit(last);
  printf("before\n");
  exit(42);
}
