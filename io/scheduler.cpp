// Coroutines switch to each other directly; the loop gets the thread back when nobody is ready,
// after a batch, and when a tick has passed, so the ring and the timers are looked at every few
// milliseconds whatever the coroutines do.
//
// Fairness is two queues. Who uses up a slice is background until it next waits: it runs when
// nobody else is ready, and at least once in BackgroundSlices slices. So a short call waits for one
// slice of one computing neighbour, not of all of them.
#include "io/scheduler.hpp"

#include <pthread.h>

#include <cassert>
#include <cstring>

#include "io/scope.hpp"

namespace krait::io {

namespace {

constexpr int Batch = 128;                // switches between two looks at the ring
constexpr uint32_t BackgroundSlices = 4;  // a background coroutine gets one slice in so many
constexpr size_t FibersPerSlab = 64;
// Stacks start at different lines of their top page: otherwise all of them would compete for the
// same few cache sets.
constexpr size_t Colours = 16, ColourStep = 64;

}  // namespace

void Scheduler::detach() { this_thread_ = nullptr; }

void Scheduler::attach() {
  this_thread_ = this;
#ifdef KRAIT_IO_ASAN
  pthread_attr_t attributes;
  void* limit = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &limit, &size);
  pthread_attr_destroy(&attributes);
  loop_.stack.limit = static_cast<std::byte*>(limit);
  loop_.stack.base = loop_.stack.limit + size;
#endif
#ifdef KRAIT_IO_TSAN
  loop_.fiber = __tsan_get_current_fiber();
#endif
}

Scheduler::Scheduler(Shard& shard, StackPool::Options stacks, SliceClock& clock,
                     const std::atomic<uint32_t>& ticks)
    : shard_(shard), clock_(clock), ticks_(ticks), stacks_(stacks) {}

Scheduler::~Scheduler() { assert(live_ == 0); }

void Scheduler::Queue::push(Fiber& fiber) {
  fiber.next_ = nullptr;
  (head ? tail->next_ : head) = &fiber;
  tail = &fiber;
}

Fiber* Scheduler::Queue::pop() {
  Fiber* fiber = head;
  if (fiber) head = fiber->next_;
  return fiber;
}

// -- Life --

Task Scheduler::spawn(Scope& scope, Closure entry, const char* name) {
  const Stack stack = stacks_.acquire();
  if (!stack) return {};
  if (!free_) {
    auto& slab = slabs_.emplace_back(new Fiber[FibersPerSlab]);
    for (size_t i = 0; i < FibersPerSlab; ++i) slab[i].next_ = std::exchange(free_, &slab[i]);
  }
  Fiber& fiber = *free_;
  free_ = fiber.next_;
  ++live_;
  prepare_context<&Scheduler::enter>(fiber.context_, stack,
                                     stack.base - next_id_ % Colours * ColourStep);
  fiber.stack_ = stack;
  fiber.stack_base_ = stack.base;
  fiber.stack_limit_ = stack.limit;
  fiber.entry_ = std::move(entry);
  fiber.background_ = false;
  fiber.shard_ = &shard_;
  fiber.scope_ = &scope;
  fiber.user_ = nullptr;
  fiber.hooks_ = nullptr;
  fiber.listener_ = nullptr;
  fiber.deadline_ = Deadline();
  fiber.shields_ = 0;
  fiber.cancelled_ = false;
  fiber.id_ = next_id_++;
  fiber.set_name(name);
  scope.enter(fiber);
  ready_.push(fiber);
  return Task(fiber);
}

void Scheduler::enter() {
  Scheduler& scheduler = *this_thread_;
  Fiber& self = *scheduler.running_;
  arrive(self.context_);
  self.entry_();
  self.entry_.reset();
  self.id_ = 0;  // from here on its Tasks call it done
  self.joiners_.wake_all();
  self.scope_->leave(self);
  scheduler.dead_ = &self;
  scheduler.running_ = nullptr;
  // A stack cannot be taken back by who stands on it: the loop does.
  switch_context(self.context_, scheduler.loop_, /*last=*/true);
  __builtin_unreachable();
}

void Scheduler::reap() {
  Fiber& fiber = *std::exchange(dead_, nullptr);
  release_context(fiber.context_, fiber.stack_);
  stacks_.release(fiber.stack_);
  fiber.next_ = std::exchange(free_, &fiber);
  --live_;
}

// -- Switching --

[[gnu::always_inline]] inline Fiber* Scheduler::pick() {
  if (--budget_ < 0 || ticks_.load(std::memory_order_relaxed) != batch_tick_) return nullptr;
  return ready_.pop();
}

[[gnu::always_inline]] inline void Scheduler::start_slice(Fiber* fiber) {
  running_ = fiber;
  clock_.started.store(batch_tick_, std::memory_order_relaxed);
  if (clock_.expired.load(std::memory_order_relaxed))
    clock_.expired.store(0, std::memory_order_relaxed);
  SliceListener* listener = fiber ? fiber->listener_ : nullptr;
  if (listener != clock_.listener.load(std::memory_order_relaxed))
    clock_.listener.store(listener, std::memory_order_relaxed);
}

void Scheduler::set_slice_listener(SliceListener* listener) {
  clock_.listener.store(listener, std::memory_order_seq_cst);
  if (!listener) const std::lock_guard done(clock_.telling);
}

// Inlined, as every function that returns after a switch costs a mispredicted return.
[[gnu::always_inline]] inline void Scheduler::suspend() {
  Fiber& self = *running_;
  if (self.hooks_ && self.hooks_->on_suspend) self.hooks_->on_suspend(self.user_);
  Fiber* next = pick();
  start_slice(next);
  if (next != &self) switch_context(self.context_, next ? next->context_ : loop_);
  if (self.hooks_ && self.hooks_->on_resume) self.hooks_->on_resume(self.user_);
}

void Scheduler::run_batch() {
  budget_ = Batch;
  batch_tick_ = ticks_.load(std::memory_order_relaxed);
  const bool background_due =
      background_.head &&
      (!ready_.head || batch_tick_ - background_tick_ >= BackgroundSlices * Ticker::TicksPerSlice);
  Fiber* next = background_due ? background_.pop() : ready_.pop();
  while (next) {
    start_slice(next);
    switch_context(loop_, next->context_);
    if (dead_) reap();
    next = pick();
  }
}

int Scheduler::yield() {
  if (!running_) return -EPERM;
  Fiber& self = *running_;
  if (clock_.expired.load(std::memory_order_relaxed)) self.background_ = true;
  if (self.background_) {
    background_tick_ = ticks_.load(std::memory_order_relaxed);
    background_.push(self);
  } else {
    ready_.push(self);
  }
  suspend();
  return self.cancelled_ && self.shields_ == 0 ? -ECANCELED : 0;
}

// -- Waiting --

int Scheduler::check() {
  if (!running_) return -EPERM;
  if (!running_->cancelled_ || running_->shields_ != 0) return 0;
  // A cancelled loop that ignores its errors must not keep the others from running.
  return yield();
}

int Scheduler::park(Wait& wait, Deadline deadline) {
  Fiber& self = *running_;
  wait.coroutine_ = &self;
  self.wait_ = &wait;
  self.background_ = false;
  if (self.shields_ == 0) deadline = deadline.earlier(self.deadline_);
  if (!deadline.is_never()) timers_.arm(self, deadline.ns());
  suspend();
  return wait.result_;
}

void Scheduler::complete(Wait& wait, int result) {
  Fiber& fiber = static_cast<Fiber&>(*wait.coroutine_);
  assert(fiber.wait_ == &wait);
  fiber.wait_ = nullptr;
  if (fiber.armed()) timers_.disarm(fiber);
  wait.result_ = result;
  ready_.push(fiber);
}

void Scheduler::remind(Wait& wait, int64_t at) {
  Fiber& fiber = static_cast<Fiber&>(*wait.coroutine_);
  if (fiber.armed()) timers_.disarm(fiber);
  timers_.arm(fiber, at);
}

void Scheduler::cancel(Coroutine& coroutine) {
  coroutine.cancelled_ = true;
  if (coroutine.wait_ && coroutine.shields_ == 0) coroutine.wait_->interrupt(-ECANCELED);
}

void Scheduler::fire_timers(int64_t now) {
  while (!timers_.empty() && timers_.next() <= now) {
    Fiber& fiber = *static_cast<Fiber*>(timers_.front());
    timers_.disarm(fiber);
    fiber.wait_->interrupt(-ETIMEDOUT);
  }
}

}  // namespace krait::io
