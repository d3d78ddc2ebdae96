// Waiting by blocking the thread. EINTR of the host is no business of the guest: the wait goes on.
#include "pyhost/wait.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>

namespace krait::pyhost {
namespace {

constexpr uint64_t Second = 1'000'000'000;

uint64_t now(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * Second + static_cast<uint64_t>(t.tv_nsec);
}

timespec timespec_of(uint64_t ns) {
  return {static_cast<time_t>(ns / Second), static_cast<long>(ns % Second)};
}

class BlockingWaiter final : public Waiter {
 public:
  bool sleep_until(Deadline deadline) override {
    const timespec until = timespec_of(std::min<uint64_t>(deadline.ns, INT64_MAX));
    while (clock_nanosleep(deadline.clock, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
    return true;
  }

  bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override {
    for (;;) {
      timespec left{};
      if (deadline) {
        const uint64_t at = now(deadline->clock);
        left = timespec_of(deadline->ns > at ? std::min<uint64_t>(deadline->ns - at, INT64_MAX) : 0);
      }
      const int ready = ppoll(fds.data(), fds.size(), deadline ? &left : nullptr, nullptr);
      if (ready >= 0) return true;
      if (errno != EINTR) {  // EINVAL, ENOMEM: nothing is known to be ready
        for (pollfd& fd : fds) fd.revents = POLLERR;
        return true;
      }
    }
  }

  bool before_transfer(int fd, short events) override {
    pollfd one{fd, events, 0};
    return poll({&one, 1}, std::nullopt);
  }

  void yield() override { sched_yield(); }
};

}  // namespace

Waiter& blocking_waiter() {
  static BlockingWaiter waiter;
  return waiter;
}

}  // namespace krait::pyhost
