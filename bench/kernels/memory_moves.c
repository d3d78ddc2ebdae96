// memcpy, memmove and memset of 1 to 4,096 bytes. n: thousands of operations.
#include "kernel.h"
static uint8_t area[1 << 16];

static uint64_t run(uint32_t n) {
  uint32_t seed = 1;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n * 1000; ++i) {
    seed = seed * 1103515245 + 12345;
    const uint32_t length = (seed >> 8 & 4095) + 1, from = seed >> 12 & 8191, to = seed >> 5 & 8191;
    if (i % 3 == 0) memcpy(area + 16384 + to, area + from, length);
    else if (i % 3 == 1) memmove(area + to, area + from, length);
    else memset(area + to, (int)(seed >> 20), length >> 3);
    sum += area[(to + length / 2) & 65535];
  }
  return sum;
}
