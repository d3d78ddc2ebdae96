// A kernel defines run(n) and returns a checksum; main times it: KERNEL [n] prints "checksum seconds".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t run(uint32_t n);

int main(int argc, char** argv) {
  const uint32_t n = (uint32_t)atoi(argc > 1 ? argv[1] : "1");
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  const uint64_t check = run(n);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%016llx %.6f\n", (unsigned long long)check,
         (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
  return 0;
}

static inline uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
