// Jacobi steps on a 128 x 128 grid of doubles. n: steps.
#include "kernel.h"
enum { N = 128 };
static double grid[2][N][N];

static uint64_t run(uint32_t n) {
  for (int i = 0; i < N; ++i) grid[0][0][i] = grid[1][0][i] = 100.0 + i;
  for (uint32_t s = 0; s < n; ++s) {
    double(*from)[N] = grid[s & 1];
    double(*to)[N] = grid[(s & 1) ^ 1];
    for (int i = 1; i < N - 1; ++i)
      for (int j = 1; j < N - 1; ++j) to[i][j] = 0.25 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
  }
  return bits_of(grid[n & 1][5][N / 2]);
}
