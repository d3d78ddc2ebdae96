// Why a thread of its own: a coroutine that computes never returns to its shard's loop, so someone
// else must look at the clock. It sleeps on the clock while any shard works (400 wake-ups a second
// at the default slice), and on a futex otherwise. The rules of its memory are at the head of
// ticker.hpp.
#include "io/ticker.hpp"

#include <time.h>

#include <utility>

namespace krait::io {

namespace {

constexpr unsigned IdleTicks = 20;  // ticks with all shards asleep before the ticker itself sleeps

}  // namespace

Ticker::Ticker(std::chrono::nanoseconds slice, std::vector<SliceClock*> clocks)
    : period_(slice / TicksPerSlice), clocks_(std::move(clocks)), thread_([this] { run(); }) {}

Ticker::~Ticker() {
  stop_.store(true);
  arm();
  thread_.join();
}

void Ticker::arm() {
  armed_.store(1, std::memory_order_seq_cst);
  armed_.notify_one();
}

bool Ticker::tick() {
  const uint32_t now = ticks_.load(std::memory_order_relaxed) + 1;
  ticks_.store(now, std::memory_order_relaxed);
  bool any = false;
  for (SliceClock* clock : clocks_) {
    if (clock->awake.load(std::memory_order_seq_cst) == 0) continue;
    any = true;
    if (now - clock->started.load(std::memory_order_relaxed) > TicksPerSlice) {
      clock->expired.store(1, std::memory_order_relaxed);
      if (clock->listener.load(std::memory_order_relaxed)) tell(*clock);
    }
  }
  return any;
}

void Ticker::tell(SliceClock& clock) {
  const std::lock_guard lock(clock.telling);
  if (SliceListener* listener = clock.listener.load(std::memory_order_seq_cst))
    listener->slice_over();
}

void Ticker::run() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(period_);
  const timespec pause{seconds.count(), (period_ - seconds).count()};
  unsigned idle = 0;
  while (!stop_.load()) {
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    idle = tick() ? 0 : idle + 1;
    if (idle <= IdleTicks) continue;
    armed_.store(0, std::memory_order_seq_cst);
    if (!tick() && !stop_.load()) armed_.wait(0);
    armed_.store(1, std::memory_order_seq_cst);
    idle = 0;
  }
}

}  // namespace krait::io
