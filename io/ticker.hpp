// The clock of fairness: tells a computing coroutine that its slice is over.
//
// Invariants
//  1. The ticker thread writes `ticks_` and SliceClock::expired and reads the rest; a shard's
//  thread writes its clock's
//     started, awake and listener, and clears expired. All are atomic; none orders other memory
//     (relaxed), except rules 2 and 3.
//  2. A listener is told under `telling`; a coroutine that takes its listener back first clears
//  SliceClock::listener and then locks `telling` once, so the ticker is done with it by then.
//  3. Either the ticker ticks, or armed_ is 0 and every shard sleeps: the ticker stores armed_ = 0
//  and then reads awake; a
//     shard stores awake and then reads armed_; both sequentially consistent, so one of the two
//     sees the other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace krait::io {

/// Told that the slice of the coroutine that it belongs to is over; again at each tick until that
/// coroutine gives way, and perhaps once just after it did.
class SliceListener {
 public:
  /// On the ticker's thread: must be short, and must not use io/.
  virtual void slice_over() = 0;

 protected:
  ~SliceListener() = default;
};

/// What a shard and the ticker share.
struct alignas(64) SliceClock {
  std::atomic<uint32_t> expired{0};  ///< 1: the running coroutine's slice is over
  std::atomic<uint32_t> started{0};  ///< the tick at which the running coroutine was switched to
  std::atomic<uint32_t> awake{0};    ///< 0 while the shard sleeps in the kernel
  std::atomic<SliceListener*> listener{nullptr};  ///< of the running coroutine
  std::mutex telling;
};

/// One thread for all shards, two ticks a slice: a coroutine runs for 1 to 1.5 slices. It stops
/// ticking when all shards have slept for a while, so an idle process wakes never.
class Ticker {
 public:
  /// `clocks` must outlive the ticker.
  Ticker(std::chrono::nanoseconds slice, std::vector<SliceClock*> clocks);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  static constexpr uint32_t TicksPerSlice = 2;
  /// The number of ticks so far; wraps.
  [[nodiscard]] const std::atomic<uint32_t>& ticks() const { return ticks_; }
  /// A shard's thread is back from the kernel.
  void awoke(SliceClock& clock) {
    clock.awake.store(1, std::memory_order_seq_cst);
    if (armed_.load(std::memory_order_seq_cst) == 0) arm();
  }
  /// A shard's thread is about to sleep.
  static void sleeps(SliceClock& clock) { clock.awake.store(0, std::memory_order_relaxed); }

 private:
  void run();
  bool tick();
  static void tell(SliceClock& clock);
  void arm();

  const std::chrono::nanoseconds period_;
  const std::vector<SliceClock*> clocks_;
  alignas(64) std::atomic<uint32_t> ticks_{0};
  alignas(64) std::atomic<uint32_t> armed_{1};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace krait::io
