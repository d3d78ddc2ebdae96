// Random bytes, of any number.
// prints:
//   __wasi_random_get(a, sizeof a): ok
//   __wasi_random_get(b, sizeof b): ok
//   memcmp(a, b, sizeof a) != 0: yes
//   256 values
//   __wasi_random_get(a, 0): ok
//   __wasi_random_get((uint8_t *)0xffffff00, 0x1000): Bad address
//   __wasi_sched_yield(): ok
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  static uint8_t a[70000], b[70000];
  SHOW_ERRNO(__wasi_random_get(a, sizeof a));
  SHOW_ERRNO(__wasi_random_get(b, sizeof b));
  HOLDS(memcmp(a, b, sizeof a) != 0);
  int seen = 0;
  for (int i = 0; i < 256; i++) seen += memchr(a + sizeof a / 2, i, sizeof a / 2) != NULL;
  printf("%d values\n", seen);
  SHOW_ERRNO(__wasi_random_get(a, 0));
  SHOW_ERRNO(__wasi_random_get((uint8_t *)0xffffff00, 0x1000));
  SHOW_ERRNO(__wasi_sched_yield());
}
