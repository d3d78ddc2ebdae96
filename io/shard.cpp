// The loop: run coroutines, empty the inbox, one system call that submits and waits, completions,
// timers. The invariants between threads are at the head of shard.hpp.
#include "io/shard.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <future>

#include "io/ring.hpp"
#include "io/runtime.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

namespace {

constexpr std::chrono::milliseconds TendEvery{100};  // the idle stacks

}  // namespace

struct Shard::Posted {
  Closure work;
  Posted* next;
};

// Watches the eventfd. It polls rather than reads, so the kernel holds no address of ours.
struct Shard::Doorbell final : Completion {
  explicit Doorbell(Shard& shard) : shard(shard) {}
  void arm() {
    io_uring_sqe* sqe = shard.ring_->prepare();
    io_uring_prep_poll_add(sqe, shard.event_, POLLIN);
    Ring::set_completion(sqe, this);
  }
  void on_complete(int, uint32_t) override {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = read(shard.event_, &count, sizeof count);
    arm();
  }
  Shard& shard;
};

// The sender's side of a wake through the ring: if the kernel cannot deliver it, the eventfd does.
struct Shard::Knock final : Completion {
  explicit Knock(Shard& target) : target(target) {}
  void on_complete(int result, uint32_t) override {
    if (result < 0) target.ring_bell();
  }
  Shard& target;
};

Shard* Shard::current() {
  Scheduler* scheduler = Scheduler::current();
  return scheduler ? &scheduler->shard() : nullptr;
}

Shard::Shard(Runtime& runtime, unsigned index) : runtime_(runtime), index_(index) {}

Shard::~Shard() {
  assert(!thread_.joinable());
  while (Posted* posted = inbox_.load()) {
    inbox_.store(posted->next);
    delete posted;
  }
  if (event_ >= 0) close(event_);
}

Result<void> Shard::start(const Options& options) {
  event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_ < 0)
    return Error{"no file descriptor left for a shard's eventfd: raise the limit (ulimit -n)"};
  std::promise<Result<void>> started;
  auto known = started.get_future();
  thread_ = std::thread([this, &options, started = std::move(started)]() mutable {
    Result<void> result = prepare(options);
    const bool good = result.ok();
    started.set_value(std::move(result));  // `options` is gone from here on
    if (good) loop();
  });
  Result<void> result = known.get();
  if (!result) thread_.join();
  return result;
}

Result<void> Shard::prepare(const Options& options) {
  auto ring = Ring::create(options.ring_entries, options.ring_level, options.ring_without);
  if (!ring) return ring.error();
  ring_ = std::move(*ring);
  scheduler_ =
      std::make_unique<Scheduler>(*this, options.stacks, clock_, runtime_.ticker().ticks());
  scheduler_->attach();
  root_ = std::make_unique<Scope>(*this);
  service_ = std::make_unique<Scope>(*this);
  bell_ = std::make_unique<Doorbell>(*this);
  knock_ = std::make_unique<Knock>(*this);
  bell_->arm();
  return {};
}

// -- The loop --

void Shard::loop() {
  runtime_.ticker().awoke(clock_);
  while (!ended()) {
    scheduler_->run_batch();
    drain();
    sleep_or_poll();
    ring_->reap();
    if (!scheduler_->next_timer().is_never() || scheduler_->stacks().needs_tending())
      look_at_clock();
  }
  root_.reset();
  service_.reset();
  ring_.reset();
  Scheduler::detach();
  scheduler_.reset();
}

void Shard::look_at_clock() {
  const int64_t now = now_ns();
  scheduler_->fire_timers(now);
  if (now < tend_at_ || !scheduler_->stacks().needs_tending()) return;
  scheduler_->stacks().tend();
  tend_at_ = now + std::chrono::nanoseconds(TendEvery).count();
}

bool Shard::ended() const { return stop_ && scheduler_->live() == 0; }

void Shard::sleep_or_poll() {
  bool idle = !scheduler_->has_ready() && !ended();
  if (idle) {
    sleeping_.store(true);
    if (inbox_.load()) {
      sleeping_.store(false);
      idle = false;
    }
  }
  if (!idle) {
    ring_->enter(false, {});
    return;
  }
  Deadline until = scheduler_->next_timer();
  if (scheduler_->stacks().needs_tending()) until = until.earlier(Deadline::at(tend_at_));
  Ticker::sleeps(clock_);
  ring_->enter(true, until);
  runtime_.ticker().awoke(clock_);
  sleeping_.store(false, std::memory_order_relaxed);
}

void Shard::drain() {
  if (!inbox_.load(std::memory_order_relaxed)) return;
  Posted* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
  Posted* oldest = nullptr;
  while (newest) {
    Posted* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest) {
    Posted* next = oldest->next;
    oldest->work();
    delete oldest;
    oldest = next;
  }
}

// -- From other threads --

void Shard::post(Closure work) {
  auto* posted = new Posted{std::move(work), inbox_.load(std::memory_order_relaxed)};
  while (!inbox_.compare_exchange_weak(posted->next, posted, std::memory_order_seq_cst,
                                       std::memory_order_relaxed)) {
  }
  if (sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false)) wake();
}

void Shard::wake() {
  Shard* sender = current();
  if (!sender || sender == this || !sender->ring_->supports(IORING_OP_MSG_RING)) {
    ring_bell();
    return;
  }
  io_uring_sqe* sqe = sender->ring_->prepare();
  io_uring_prep_msg_ring(sqe, ring_->fd(), 0, 0, 0);
  Ring::set_completion(sqe, knock_.get());
  // At once: the sender may compute for a slice before its loop submits.
  sender->ring_->submit();
}

void Shard::ring_bell() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(event_, &one, sizeof one);
}

void Shard::spawn(Scope& scope, Closure entry, const char* name) {
  assert(&scope.shard() == this);
  if (current() == this) {
    scope.spawn(std::move(entry), name);
    return;
  }
  scope.posted_.fetch_add(1, std::memory_order_relaxed);
  post([&scope, entry = std::move(entry), name]() mutable {
    scope.spawn_posted(std::move(entry), name);
  });
}

void Shard::spawn(Closure entry, const char* name) { spawn(*root_, std::move(entry), name); }

void Shard::run(Closure work) {
  assert(!current());
  std::promise<void> done;
  std::future<void> ended = done.get_future();
  spawn(*service_, [&work, done = std::move(done)]() mutable {
    work();
    done.set_value();
  });
  ended.wait();
}

}  // namespace krait::io
