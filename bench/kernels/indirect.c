// Calls through a table of functions that change. n: thousands of calls.
#include "kernel.h"
typedef uint32_t (*step)(uint32_t, uint32_t);
#define STEP(name, expression) \
  __attribute__((noinline)) static uint32_t name(uint32_t a, uint32_t b) { return expression; }
STEP(s0, a + b) STEP(s1, a ^ b * 3) STEP(s2, a - b) STEP(s3, a << 1 | b >> 31)
STEP(s4, a * 5 + 1) STEP(s5, (a >> 3) + b) STEP(s6, ~a ^ b) STEP(s7, a + (b << 7))
static step volatile table[8] = {s0, s1, s2, s3, s4, s5, s6, s7};

static uint64_t run(uint32_t n) {
  uint32_t a = 1, b = 2;
  for (uint32_t i = 0; i < n * 1000; ++i) {
    const uint32_t t = table[(a ^ i) & 7](a, b);
    b = a, a = t;
  }
  return (uint64_t)a << 32 | b;
}
