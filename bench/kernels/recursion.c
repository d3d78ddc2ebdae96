// Direct calls: a recursion that no compiler turns into a loop. n: Takeuchi's function of (n, n * 2 / 3, n / 3).
#include "kernel.h"

__attribute__((noinline)) static int32_t tak(int32_t x, int32_t y, int32_t z) {
  return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static uint64_t run(uint32_t n) {
  const int32_t x = (int32_t)n;
  return (uint64_t)tak(x, x * 2 / 3, x / 3);
}
