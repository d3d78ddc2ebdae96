// A trap ends the program with 134 and says where it was.
// status: 134
// stderr: divide
// prints:
//   before
#include "show.h"

__attribute__((noinline)) static int divide(volatile int *by) { return 10 / *by; }

int main(void) {
  volatile int zero = 0;
  printf("before\n");
  fflush(stdout);
  return divide(&zero);
}
