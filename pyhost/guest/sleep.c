// wasi-libc's clock_nanosleep calls every failure ENOTSUP, which Python's time.sleep raises. In this one a wait that was cut short is
// EINTR: Python looks at its signals, where an alarm may be, and sleeps on.
#include <errno.h>
#include <time.h>
#include <wasi/api.h>

// As wasi-libc has it: a clockid_t is a pointer to one.
struct __clockid {
  __wasi_clockid_t id;
};

int clock_nanosleep(clockid_t clock, int flags, const struct timespec* wanted, struct timespec* left) {
  if ((flags & ~TIMER_ABSTIME) != 0 || wanted->tv_nsec < 0 || wanted->tv_nsec >= 1000000000) return EINVAL;
  const __wasi_timestamp_t timeout =
      wanted->tv_sec < 0 ? 0 : (__wasi_timestamp_t)wanted->tv_sec * 1000000000 + (__wasi_timestamp_t)wanted->tv_nsec;
  const __wasi_subscription_t subscription = {
      .u.tag = __WASI_EVENTTYPE_CLOCK,
      .u.u.clock = {.id = clock->id,
                    .timeout = timeout,
                    .flags = flags & TIMER_ABSTIME ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0}};
  __wasi_size_t count;
  __wasi_event_t event;
  const __wasi_errno_t error = __wasi_poll_oneoff(&subscription, &event, 1, &count);
  if (error != 0) return error;
  return event.error;
}
