// Clocks run forwards and sleep long enough.
// prints:
//   0: resolution, time, not backwards
//   1: resolution, time, not backwards
//   2: resolution, time, not backwards
//   3: resolution, time, not backwards
//   4: Invalid argument, Invalid argument, not backwards
//   time(NULL) > 1500000000: yes
//   nanosleep(&nap, NULL): 0
//   (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec >= 30000000: yes
//   usleep(1000): 0
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

int main(void) {
  for (uint32_t id = 0; id < 5; id++) {
    __wasi_timestamp_t resolution = 0, a = 0, b = 0;
    const int e = __wasi_clock_res_get(id, &resolution), f = __wasi_clock_time_get(id, 0, &a);
    __wasi_clock_time_get(id, 0, &b);
    printf("%u: %s, %s, %s\n", id, e ? strerror(e) : resolution > 0 ? "resolution" : "NONE", f ? strerror(f) : "time",
           b >= a ? "not backwards" : "BACKWARDS");
  }
  HOLDS(time(NULL) > 1500000000);
  struct timespec from, to, nap = {0, 30000000};
  clock_gettime(CLOCK_MONOTONIC, &from);
  SHOW(nanosleep(&nap, NULL));
  clock_gettime(CLOCK_MONOTONIC, &to);
  HOLDS((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec >= 30000000);
  SHOW(usleep(1000));
}
