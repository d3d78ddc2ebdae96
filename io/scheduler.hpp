// Private to io/: who runs next on a shard, and the switches between them. Knows no ring. One
// thread uses it (coroutine.hpp, invariant 1); what it shares with the ticker is in ticker.hpp.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "io/context.hpp"
#include "io/coroutine.hpp"
#include "io/stack_pool.hpp"
#include "io/ticker.hpp"
#include "io/timer_heap.hpp"

namespace krait::io {

/// A coroutine as the scheduler sees it. The ListNode links it into its scope.
class Fiber final : public Coroutine, public ListNode, public Timer {
 private:
  friend class Scheduler;
  Context context_;
  Stack stack_;
  Closure entry_;
  Fiber* next_ = nullptr;    // in a ready queue or the free list
  bool background_ = false;  // it used up a slice since it last waited
};

class Scheduler {
 public:
  Scheduler(Shard& shard, StackPool::Options stacks, SliceClock& clock,
            const std::atomic<uint32_t>& ticks);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// This thread's scheduler, or null. Set by attach().
  static Scheduler* current() { return this_thread_; }
  void attach();
  static void detach();

  [[nodiscard]] Shard& shard() const { return shard_; }
  [[nodiscard]] Fiber* running() const { return running_; }

  /// Makes a coroutine and readies it. An invalid Task when no stack is to be had.
  Task spawn(Scope& scope, Closure entry, const char* name);

  /// What a wait asks before it links itself anywhere: 0, -EPERM outside a coroutine, -ECANCELED if
  /// it is cancelled.
  int check();
  /// Parks the running coroutine on `wait` until complete() or, through interrupt(), its deadline.
  /// Returns the result.
  int park(Wait& wait, Deadline deadline);
  void complete(Wait& wait, int result);
  /// Interrupts `wait` again at `at`, unless it has completed by then.
  void remind(Wait& wait, int64_t at);
  void cancel(Coroutine& coroutine);
  /// Of the running coroutine.
  void set_slice_listener(SliceListener* listener);
  int yield();

  [[nodiscard]] bool has_ready() const { return ready_.head || background_.head; }
  /// From the loop: runs coroutines until none is ready, a batch is done or a tick has passed.
  void run_batch();
  void fire_timers(int64_t now);
  /// When the next timer fires; never if there is none.
  [[nodiscard]] Deadline next_timer() const {
    return timers_.empty() ? Deadline() : Deadline::at(timers_.next());
  }

  [[nodiscard]] StackPool& stacks() { return stacks_; }
  [[nodiscard]] size_t live() const { return live_; }

 private:
  struct Queue {
    Fiber* head = nullptr;
    Fiber* tail = nullptr;
    void push(Fiber& fiber);
    Fiber* pop();
  };

  // Coroutines never change threads, so the compiler may cache its address across a switch.
  static constinit thread_local inline Scheduler* this_thread_ = nullptr;

  static void enter();
  void ready(Fiber& fiber);
  Fiber* pick();
  void suspend();
  void start_slice(Fiber* fiber);
  void reap();

  Shard& shard_;
  SliceClock& clock_;
  const std::atomic<uint32_t>& ticks_;
  StackPool stacks_;
  TimerHeap timers_;
  Context loop_;
  Fiber* running_ = nullptr;
  Fiber* dead_ = nullptr;  // ended, its stack still to be taken back
  Queue ready_;
  Queue background_;
  int budget_ = 0;
  uint32_t batch_tick_ = 0;
  uint32_t background_tick_ = 0;  // when a background coroutine last ran
  uint64_t next_id_ = 1;
  size_t live_ = 0;
  Fiber* free_ = nullptr;
  std::vector<std::unique_ptr<Fiber[]>> slabs_;
};

}  // namespace krait::io
