// poll_oneoff: clocks, relative and absolute, descriptors, and several at once.
// prints:
//   relative:  [1 type 0 ok]
//   now(__WASI_CLOCKID_MONOTONIC) - begin >= 20 * ms: yes
//   absolute:  [2 type 0 ok]
//   now(__WASI_CLOCKID_MONOTONIC) - begin >= 19 * ms: yes
//   absolute, realtime:  [3 type 0 ok]
//   long over:  [4 type 0 ok]
//   the earlier of two:  [6 type 0 ok]
//   a timer and stdout:  [8 type 2 ok]
//   a bad descriptor:  [9 type 1 Bad file descriptor]
//   a bad clock:  [10 type 0 Invalid argument]
//   a bad type:  [11 type 5 Invalid argument]
//   stdin at its end:  [12 type 1 ok]
//   none: Invalid argument
//   poll(&fds, 1, 1000): 1
//   fds.revents == POLLOUT: yes
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include "show.h"

static uint64_t now(__wasi_clockid_t id) {
  __wasi_timestamp_t t;
  __wasi_clock_time_get(id, 1, &t);
  return t;
}
static __wasi_subscription_t timer(uint64_t userdata, __wasi_clockid_t id, uint64_t timeout, int absolute) {
  __wasi_subscription_t s = {.userdata = userdata};
  s.u.tag = __WASI_EVENTTYPE_CLOCK;
  s.u.u.clock.id = id;
  s.u.u.clock.timeout = timeout;
  s.u.u.clock.flags = absolute ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0;
  return s;
}
static __wasi_subscription_t on_fd(uint64_t userdata, int type, __wasi_fd_t fd) {
  __wasi_subscription_t s = {.userdata = userdata};
  s.u.tag = (uint8_t)type;
  s.u.u.fd_read.file_descriptor = fd;
  return s;
}
static void run(const char *what, __wasi_subscription_t *in, size_t count) {
  __wasi_event_t out[8];
  size_t events = 0;
  const int e = __wasi_poll_oneoff(in, out, count, &events);
  printf("%s: %s", what, e ? strerror(e) : "");
  for (size_t i = 0; !e && i < events; i++)
    printf(" [%llu type %d %s]", out[i].userdata, out[i].type, out[i].error ? strerror(out[i].error) : "ok");
  printf("\n");
}

int main(void) {
  const uint64_t ms = 1000000;
  uint64_t begin = now(__WASI_CLOCKID_MONOTONIC);
  __wasi_subscription_t in[4] = {timer(1, __WASI_CLOCKID_MONOTONIC, 20 * ms, 0)};
  run("relative", in, 1);
  HOLDS(now(__WASI_CLOCKID_MONOTONIC) - begin >= 20 * ms);
  in[0] = timer(2, __WASI_CLOCKID_MONOTONIC, now(__WASI_CLOCKID_MONOTONIC) + 20 * ms, 1);
  begin = now(__WASI_CLOCKID_MONOTONIC);
  run("absolute", in, 1);
  HOLDS(now(__WASI_CLOCKID_MONOTONIC) - begin >= 19 * ms);
  in[0] = timer(3, __WASI_CLOCKID_REALTIME, now(__WASI_CLOCKID_REALTIME) + 20 * ms, 1);
  run("absolute, realtime", in, 1);
  in[0] = timer(4, __WASI_CLOCKID_MONOTONIC, 1, 1);
  run("long over", in, 1);
  in[0] = timer(5, __WASI_CLOCKID_MONOTONIC, 3600000 * ms, 0);
  in[1] = timer(6, __WASI_CLOCKID_MONOTONIC, 10 * ms, 0);
  run("the earlier of two", in, 2);
  in[0] = timer(7, __WASI_CLOCKID_MONOTONIC, ~0ull, 0);
  in[1] = on_fd(8, __WASI_EVENTTYPE_FD_WRITE, 1);
  run("a timer and stdout", in, 2);
  in[1] = on_fd(9, __WASI_EVENTTYPE_FD_READ, 77);
  run("a bad descriptor", in, 2);
  in[0] = timer(10, 9, 0, 0);
  run("a bad clock", in, 1);
  in[0] = on_fd(11, 5, 0);
  run("a bad type", in, 1);
  in[0] = on_fd(12, __WASI_EVENTTYPE_FD_READ, 0);
  run("stdin at its end", in, 1);
  run("none", in, 0);
  struct pollfd fds = {.fd = 1, .events = POLLOUT};
  SHOW(poll(&fds, 1, 1000));
  HOLDS(fds.revents == POLLOUT);
}
