// Five bodies under gravity, doubles with division and square roots. n: thousands of steps.
#include <math.h>

#include "kernel.h"
struct body { double x, y, z, vx, vy, vz, m; };
static struct body b[5] = {{0, 0, 0, 0, 0, 0, 39.5},
                           {4.8, -1.2, -0.1, 0.6, 2.8, -0.03, 0.038},
                           {8.3, 4.1, -0.4, -1.0, 1.8, 0.008, 0.011},
                           {12.9, -15.1, -0.2, 1.1, 0.9, -0.01, 0.0017},
                           {15.4, -25.9, 0.2, 1.0, 0.6, -0.03, 0.002}};

static uint64_t run(uint32_t n) {
  for (uint32_t s = 0; s < n * 1000; ++s) {
    for (int i = 0; i < 5; ++i)
      for (int j = i + 1; j < 5; ++j) {
        const double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
        const double d2 = dx * dx + dy * dy + dz * dz, f = 0.001 / (d2 * sqrt(d2));
        b[i].vx -= dx * b[j].m * f, b[i].vy -= dy * b[j].m * f, b[i].vz -= dz * b[j].m * f;
        b[j].vx += dx * b[i].m * f, b[j].vy += dy * b[i].m * f, b[j].vz += dz * b[i].m * f;
      }
    for (int i = 0; i < 5; ++i) b[i].x += 0.001 * b[i].vx, b[i].y += 0.001 * b[i].vy, b[i].z += 0.001 * b[i].vz;
  }
  double sum = 0;
  for (int i = 0; i < 5; ++i) sum += b[i].x + b[i].vy;
  return (uint64_t)(int64_t)(sum * 1e6);  // the last bits differ where a compiler fuses multiplication and addition
}
