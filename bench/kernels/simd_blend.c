// Blends two images of 256 x 256 pixels by a mask, in vectors of 16 bytes, and sums what comes out. n: images.
#include "kernel.h"
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Words __attribute__((vector_size(16)));
typedef uint32_t Longs __attribute__((vector_size(16)));
enum { Size = 256 * 256 * 4 / 16 };
static Bytes under[Size], over[Size], mask[Size], out[Size];

static Words low(Bytes b) {
  const Bytes zero = {0};
  return (Words)__builtin_shufflevector(b, zero, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static Words high(Bytes b) {
  const Bytes zero = {0};
  return (Words)__builtin_shufflevector(b, zero, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
static Words mix(Words u, Words o, Words m) { return (u * (255 - m) + o * m + 128) >> 8; }

static uint64_t run(uint32_t n) {
  for (int i = 0; i < Size; ++i)
    for (int k = 0; k < 16; ++k)
      under[i][k] = (uint8_t)(i * 7 + k), over[i][k] = (uint8_t)(i * 3 + k * 5), mask[i][k] = (uint8_t)(i + k * 11);
  Longs sums = {0};
  for (uint32_t r = 0; r < n; ++r) {
    for (int i = 0; i < Size; ++i) {
      const Words a = mix(low(under[i]), low(over[i]), low(mask[i])), b = mix(high(under[i]), high(over[i]), high(mask[i]));
      out[i] = __builtin_shufflevector((Bytes)a, (Bytes)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    }
    for (int i = 0; i < Size; ++i) sums += (Longs)out[i], under[i] = out[i] ^ (uint8_t)r;
  }
  return (uint64_t)(sums[0] ^ sums[2]) << 32 | (sums[1] ^ sums[3]);
}
