// Time limits: soft ones become a TimeoutError, what goes on after the grace a trap.
//
// The processor's time is counted between on_cpu() and off_cpu(), so that a wait costs none; a guest that computes is made to
// look at each end of its slice.
#include <algorithm>

#include "io/coroutine.hpp"
#include "pyhost/calls/cell.hpp"

namespace krait::pyhost::calls {
namespace {

constexpr uint64_t Millisecond = 1'000'000;

uint64_t thread_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

Watch::Watch(const std::shared_ptr<Call>& call, engine::Store& store) : call_(call), store_(store), began_ns_(monotonic_ns()) {
  bound_waits();
}

Watch::~Watch() {
  store_.on_interrupt = nullptr;
  store_.clear_interrupts();
  io::current()->set_deadline({});
}

void Watch::on_cpu() { on_cpu_since_ = thread_ns(); }
void Watch::off_cpu() { cpu_ns_ += thread_ns() - on_cpu_since_; }

uint64_t Watch::wall_ns() const { return monotonic_ns() - began_ns_; }

bool Watch::over(uint64_t limit_ms, uint64_t used_ns) const {
  if (limit_ms == 0) return false;
  const uint64_t grace = alarmed_ ? call_->limits.grace_ms : 0;
  return used_ns / Millisecond >= limit_ms && used_ns / Millisecond - limit_ms >= grace;
}

void Watch::look() {
  if (call_->cancelled || over(call_->limits.wall_ms, wall_ns()) || over(call_->limits.cpu_ms, cpu_ns_))
    store_.interrupt(engine::InterruptCall);
}

void Watch::bound_waits() const {
  const CallLimits& limits = call_->limits;
  if (limits.wall_ms == 0) return;
  const uint64_t ms = std::min<uint64_t>(limits.wall_ms + (alarmed_ ? limits.grace_ms : 0), uint64_t{1} << 40);
  io::current()->set_deadline(io::Deadline::at(static_cast<int64_t>(began_ns_ + ms * Millisecond)));
}

engine::Outcome<> Watch::act(const Alarm& alarm) {
  using engine::Trap;
  if (call_->cancelled) return Trap::make(engine::TrapKind::Interrupted, "the call was cancelled");
  const CallLimits& limits = call_->limits;
  const bool wall = over(limits.wall_ms, wall_ns()), cpu = over(limits.cpu_ms, cpu_ns_);
  if (!wall && !cpu) return {};
  if (alarmed_)
    return Trap::make(engine::TrapKind::Interrupted, wall ? "the call went on after its wall time" : "the call went on after its CPU time");
  alarmed_ = true;
  bound_waits();
  return alarm(wall ? PythonInstance::Alarm::WallTime : PythonInstance::Alarm::CpuTime, wall ? limits.wall_ms : limits.cpu_ms);
}

}  // namespace krait::pyhost::calls
