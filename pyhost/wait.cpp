// Waiting by blocking the thread. EINTR of the host is no business of the guest: the wait goes on.
#include "pyhost/wait.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace krait::pyhost {
namespace {

constexpr uint64_t Second = 1'000'000'000;

timespec timespec_of(uint64_t ns) {
  return {static_cast<time_t>(ns / Second), static_cast<long>(ns % Second)};
}

int64_t or_errno(int64_t result) { return result < 0 ? -errno : result; }

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
      if (deadline) left = timespec_of(std::min<uint64_t>(deadline->left(), INT64_MAX));
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

uint64_t Deadline::now(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * Second + static_cast<uint64_t>(t.tv_nsec);
}

uint64_t Deadline::left() const {
  const uint64_t at = now(clock);
  return ns > at ? ns - at : 0;
}

int64_t Waiter::read(int fd, std::span<const iovec> to, std::optional<uint64_t> offset) {
  const int count = static_cast<int>(to.size());
  return or_errno(offset ? preadv(fd, to.data(), count, static_cast<off_t>(*offset)) : readv(fd, to.data(), count));
}

int64_t Waiter::write(int fd, std::span<const iovec> from, std::optional<uint64_t> offset) {
  const int count = static_cast<int>(from.size());
  return or_errno(offset ? pwritev(fd, from.data(), count, static_cast<off_t>(*offset)) : writev(fd, from.data(), count));
}

int Waiter::sync(int fd, bool data_only) { return static_cast<int>(or_errno(data_only ? fdatasync(fd) : fsync(fd))); }

Waiter& blocking_waiter() {
  static BlockingWaiter waiter;
  return waiter;
}

}  // namespace krait::pyhost
