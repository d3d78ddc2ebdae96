// wasi-libc's clock_nanosleep calls every failure ENOTSUP. CPython is to see EINTR, so that a wait cut short by the host
// runs the signal handler and sleeps on, as after a signal.
#include <errno.h>
#include <time.h>
#include <wasi/api.h>

static int subscription_of(clockid_t clock, int flags, const struct timespec* request, __wasi_subscription_t* s) {
  if (request->tv_sec < 0 || request->tv_nsec < 0 || request->tv_nsec >= 1000000000) return EINVAL;
  if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) return ENOTSUP;
  __wasi_timestamp_t ns = 0;
  if (__builtin_mul_overflow((__wasi_timestamp_t)request->tv_sec, 1000000000, &ns) ||
      __builtin_add_overflow(ns, (__wasi_timestamp_t)request->tv_nsec, &ns))
    ns = UINT64_MAX;
  *s = (__wasi_subscription_t){
      .u.tag = __WASI_EVENTTYPE_CLOCK,
      .u.u.clock = {.id = clock == CLOCK_MONOTONIC ? __WASI_CLOCKID_MONOTONIC : __WASI_CLOCKID_REALTIME,
                    .timeout = ns,
                    .flags = flags & TIMER_ABSTIME ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0}};
  return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec* request, struct timespec* remaining) {
  __wasi_subscription_t subscription;
  const int wrong = subscription_of(clock, flags, request, &subscription);
  if (wrong) return wrong;
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  __wasi_event_t event;
  __wasi_size_t count = 0;
  const __wasi_errno_t error = __wasi_poll_oneoff(&subscription, &event, 1, &count);
  if (error == 0 && event.error == 0) return 0;
  if (error != __WASI_ERRNO_INTR) return ENOTSUP;
  if (remaining && !(flags & TIMER_ABSTIME)) {
    clock_gettime(CLOCK_MONOTONIC, &after);
    long long left = (request->tv_sec - after.tv_sec + before.tv_sec) * 1000000000LL + request->tv_nsec - after.tv_nsec + before.tv_nsec;
    if (left < 0) left = 0;
    *remaining = (struct timespec){left / 1000000000, (long)(left % 1000000000)};
  }
  return EINTR;
}
