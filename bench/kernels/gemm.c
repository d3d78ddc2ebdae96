// Dense matrix multiplication in doubles, 96 x 96. n: multiplications.
#include "kernel.h"
enum { N = 96 };
static double a[N][N], b[N][N], c[N][N];

static uint64_t run(uint32_t n) {
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j) a[i][j] = (i * 7 + j) % 13 * 0.25, b[i][j] = (i + j * 3) % 11 * 0.125;
  for (uint32_t r = 0; r < n; ++r)
    for (int i = 0; i < N; ++i)
      for (int k = 0; k < N; ++k) {
        const double x = a[i][k] + r * 1e-6;
        for (int j = 0; j < N; ++j) c[i][j] += x * b[k][j];
      }
  double sum = 0;
  for (int i = 0; i < N; ++i) sum += c[i][i * 5 % N];
  return bits_of(sum);
}
