// Clocks and poll_oneoff. All timeouts become deadlines at once, so that a wait that is split does not drift.
#include <sys/socket.h>
#include <time.h>

#include <algorithm>

#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {
namespace {

constexpr uint64_t Second = 1'000'000'000;

std::optional<clockid_t> host_clock(uint32_t id) {
  switch (id) {
    case 0:
      return CLOCK_REALTIME;
    case 1:
      return CLOCK_MONOTONIC;
    case 2:
      return CLOCK_PROCESS_CPUTIME_ID;
    case 3:
      return CLOCK_THREAD_CPUTIME_ID;
    default:
      return std::nullopt;
  }
}

uint64_t nanoseconds(const timespec& t) { return static_cast<uint64_t>(t.tv_sec) * Second + static_cast<uint64_t>(t.tv_nsec); }

uint64_t saturating_add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

enum class EventType : uint8_t { Clock = 0, FdRead = 1, FdWrite = 2 };

struct WireSubscription {
  uint64_t userdata;
  uint8_t type, pad0[7];
  uint32_t id;  // of a clock, or a descriptor
  uint32_t pad1;
  uint64_t timeout, precision;
  uint16_t flags;
  uint8_t pad2[6];
};
static_assert(sizeof(WireSubscription) == 48);

struct WireEvent {
  uint64_t userdata;
  uint16_t error;
  uint8_t type, pad[5];
  uint64_t bytes;
  uint16_t flags;
  uint8_t pad2[6];
};
static_assert(sizeof(WireEvent) == 32);

constexpr uint16_t AbsoluteTime = 1;
constexpr uint16_t Hangup = 1;
constexpr uint32_t MaxSubscriptions = 4096;

/// One poll_oneoff. What is known to be ready at the start makes the wait a mere look.
class Poll {
 public:
  explicit Poll(Call& call) : call_(call) {}

  void subscribe(const WireSubscription& s) {
    const auto type = static_cast<EventType>(s.type);
    if (s.type > static_cast<uint8_t>(EventType::FdWrite)) return fail(s, Errno::Inval);
    if (type == EventType::Clock) subscribe_clock(s);
    else subscribe_fd(s, type);
  }

  /// Nothing can end the wait.
  [[nodiscard]] bool hopeless() const { return events_.empty() && fds_.empty() && !earliest_; }

  /// False when the wait was cancelled.
  bool wait() {
    std::optional<Deadline> until = earliest_;
    if (!events_.empty()) until = Deadline{CLOCK_MONOTONIC, 0};
    if (!fds_.empty()) {
      if (!call_.wasi.waiter().poll(fds_, until)) return false;
    } else if (until && events_.empty()) {
      if (!call_.wasi.waiter().sleep_until(*until)) return false;
    }
    for (size_t i = 0; i < fds_.size(); i++)
      if (fds_[i].revents != 0) report(polled_[i], fds_[i].revents);
    for (const auto& [s, deadline] : clocks_)
      if (deadline.left() == 0) events_.push_back({s.userdata, 0, s.type, {}, 0, 0, {}});
    return true;
  }

  [[nodiscard]] const std::vector<WireEvent>& events() const { return events_; }

 private:
  void fail(const WireSubscription& s, Errno error) {
    events_.push_back({s.userdata, static_cast<uint16_t>(error), s.type, {}, 0, 0, {}});
  }

  void subscribe_clock(const WireSubscription& s) {
    const auto clock = host_clock(s.id);
    if (!clock || (*clock != CLOCK_REALTIME && *clock != CLOCK_MONOTONIC)) return fail(s, Errno::Inval);
    // A relative timeout runs on the monotonic clock whatever clock it names: setting the time must not stretch it.
    const bool absolute = s.flags & AbsoluteTime;
    Deadline deadline{absolute ? *clock : CLOCK_MONOTONIC, s.timeout};
    if (!absolute) deadline.ns = saturating_add(Deadline::now(CLOCK_MONOTONIC), s.timeout);
    clocks_.emplace_back(s, deadline);
    if (!earliest_ || deadline.left() < earliest_->left()) earliest_ = deadline;
  }

  void subscribe_fd(const WireSubscription& s, EventType type) {
    auto d = call_.descriptor(s.id, 0);
    if (!d) return fail(s, d.error());
    if (!((*d)->base & (type == EventType::FdRead ? right::FdRead : right::FdWrite))) return fail(s, Errno::NotCapable);
    File& file = *(*d)->file;
    if (file.poll_fd() < 0) {
      const short ready = file.ready(type == EventType::FdRead ? POLLIN : POLLOUT);
      if (ready == 0) return;  // nor will it be before the guest goes on
      events_.push_back({s.userdata, 0, s.type, {}, type == EventType::FdRead ? file.available() : 0, ready & POLLHUP ? Hangup : uint16_t{0}, {}});
      return;
    }
    files_.push_back((*d)->file);
    polled_.push_back(s);
    fds_.push_back({file.poll_fd(), static_cast<short>(type == EventType::FdRead ? POLLIN : POLLOUT), 0});
  }

  void report(const WireSubscription& s, short revents) {
    WireEvent event{s.userdata, 0, s.type, {}, 0, 0, {}};
    if (revents & POLLNVAL) event.error = static_cast<uint16_t>(Errno::BadF);
    else if (revents & POLLERR && !(revents & (POLLIN | POLLOUT | POLLHUP))) event.error = static_cast<uint16_t>(Errno::Pipe);
    if (revents & POLLHUP) event.flags = Hangup;
    if (s.type == static_cast<uint8_t>(EventType::FdRead) && revents & POLLIN) {
      const size_t index = static_cast<size_t>(&s - polled_.data());
      event.bytes = files_[index]->available();
    }
    events_.push_back(event);
  }

  Call& call_;
  std::vector<WireEvent> events_;
  std::vector<std::pair<WireSubscription, Deadline>> clocks_;
  std::optional<Deadline> earliest_;
  std::vector<WireSubscription> polled_;
  std::vector<pollfd> fds_;                   // beside polled_
  std::vector<std::shared_ptr<File>> files_;  // beside polled_: kept open during the wait
};

}  // namespace

namespace wasi_calls {

Errno clock_res_get(Call& call, u32 id, u32 result) {
  const auto clock = host_clock(id);
  timespec t{};
  if (!clock || clock_getres(*clock, &t) < 0) return Errno::Inval;
  return call.store(result, nanoseconds(t));
}

Errno clock_time_get(Call& call, u32 id, u64, u32 result) {
  const auto clock = host_clock(id);
  if (!clock) return Errno::Inval;
  return call.store(result, Deadline::now(*clock));
}

Errno poll_oneoff(Call& call, u32 in, u32 out, u32 count, u32 result) {
  if (count == 0 || count > MaxSubscriptions) return Errno::Inval;
  if (!call.bytes(in, uint64_t{count} * sizeof(WireSubscription)) || !call.bytes(out, uint64_t{count} * sizeof(WireEvent)) ||
      !call.bytes(result, sizeof(u32)))
    return Errno::Fault;
  Poll poll(call);
  for (u64 i = 0; i < count; i++) poll.subscribe(*call.load<WireSubscription>(in + i * sizeof(WireSubscription)));
  if (poll.hopeless()) return Errno::DeadLk;
  // A deadline on a clock that was set back meanwhile is not over: wait on.
  do {
    if (!poll.wait()) return Errno::Intr;
  } while (poll.events().empty());
  for (u64 i = 0; i < poll.events().size(); i++) (void)call.store(out + i * sizeof(WireEvent), poll.events()[i]);
  return call.store(result, static_cast<u32>(poll.events().size()));
}

}  // namespace wasi_calls
}  // namespace krait::pyhost
