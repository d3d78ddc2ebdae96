// Shifts, multiplications, rotations and data-dependent branches on registers. n: thousands of rounds.
#include "kernel.h"

static uint64_t run(uint32_t n) {
  uint64_t a = 0x9e3779b97f4a7c15u, sum = 0;
  uint32_t b = 12345;
  for (uint32_t i = 0; i < n * 1000; ++i) {
    a ^= a << 13, a ^= a >> 7, a ^= a << 17;
    b = b * 1664525 + 1013904223;
    if (b & 0x10000) sum += a % 1021;
    else sum ^= (a >> (b & 31)) + (sum << 3 | sum >> 61);
    if ((b >> 24) == 7) sum = sum * 31 + b;
  }
  return sum;
}
