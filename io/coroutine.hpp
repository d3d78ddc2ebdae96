// Coroutines: what runs, what it waits for, and what can be asked of it.
//
// Invariants
//  1. A coroutine belongs to one shard for life: it is created, run, parked, woken and ended by
//  that shard's thread only.
//     So nothing here is atomic, and a thread_local read before a switch is still right after it.
//  2. A parked coroutine waits for exactly one Wait, on its own stack. The Wait ends by complete()
//  alone, once; from then
//     on neither the timer nor a cancel can reach it.
//  3. Whatever the kernel may still write to (buffers, structs, the operation) outlives the
//  kernel's answer: a cancelled or
//     timed-out operation resumes its coroutine only when all its completions have arrived.
//  4. A cancel is sticky: each later wait fails at once with -ECANCELED, except under a Shield.
//  5. A coroutine must not park inside a catch block: the C++ runtime's handler stack is the
//  thread's.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "io/closure.hpp"
#include "io/list.hpp"
#include "io/time.hpp"
#include "io/timer_heap.hpp"

namespace krait::io {

class Coroutine;
class Scheduler;
class Scope;
class Shard;
class SliceListener;

/// What a coroutine is parked on. Lives on its stack. Only its shard's thread touches it.
class Wait {
 public:
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  /// Asks for the end of the wait with `reason` (-ETIMEDOUT or -ECANCELED). The answer is
  /// complete(), now or later.
  virtual void interrupt(int reason) = 0;

 protected:
  Wait() = default;
  ~Wait() = default;
  /// Ends the wait: the coroutine becomes ready, and park() returns `result` there.
  void complete(int result);

 private:
  friend class Scheduler;
  Coroutine* coroutine_ = nullptr;
  int result_ = 0;
};

/// Coroutines that wait for the same thing, first in, first out. Belongs to one shard; must be
/// empty when it dies.
class WaitQueue {
 public:
  /// Parks the caller until woken. Returns the waker's value, -ETIMEDOUT, -ECANCELED, or -EPERM
  /// outside a coroutine.
  int wait(Deadline deadline = {});
  /// Wakes the first, if any; its wait returns `result`.
  bool wake_one(int result = 0);
  void wake_all(int result = 0);
  [[nodiscard]] bool empty() const { return waiters_.empty(); }

 private:
  struct Waiter;
  List<Waiter> waiters_;
};

/// Called around each park of a coroutine, on its own stack: before it leaves and after it is back.
/// Must not park.
struct SwitchHooks {
  void (*on_suspend)(void* user) = nullptr;
  void (*on_resume)(void* user) = nullptr;
};

/// A running or parked coroutine. Owned by its shard, which reuses it after its end: hold a Task,
/// not a Coroutine*, past that. To be used on its shard only.
class Coroutine {
 public:
  /// Shown by debuggers and in reports. Copied; cut at 23 bytes.
  void set_name(const char* name);
  [[nodiscard]] const char* name() const { return name_; }
  /// Differs between all coroutines of a shard, ended ones included.
  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] Shard& shard() const { return *shard_; }
  [[nodiscard]] Scope& scope() const { return *scope_; }

  /// The usable stack: [stack_limit, stack_base), growing down from base.
  [[nodiscard]] std::byte* stack_base() const { return stack_base_; }
  [[nodiscard]] std::byte* stack_limit() const { return stack_limit_; }

  /// The embedder's own pointer, handed to the hooks.
  void set_user(void* user) { user_ = user; }
  [[nodiscard]] void* user() const { return user_; }
  /// `hooks` must outlive the coroutine or the next set_hooks; null for none.
  void set_hooks(const SwitchHooks* hooks) { hooks_ = hooks; }

  /// Whom the ticker tells when a slice of this coroutine is over (ticker.hpp); null for nobody, and
  /// when this returns nobody is being told. Of the running coroutine only.
  void set_slice_listener(SliceListener* listener);

  /// An upper bound for every wait of this coroutine (outside a Shield); it then returns
  /// -ETIMEDOUT.
  void set_deadline(Deadline deadline) { deadline_ = deadline; }
  [[nodiscard]] Deadline deadline() const { return deadline_; }

  /// Makes the current wait, and all later ones, end with -ECANCELED (invariant 4).
  void cancel();
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  /// Ends the wait it is in, if any, with -EINTR. Unlike a cancel it is not sticky; a Shield keeps it
  /// off too.
  void interrupt_wait();

 private:
  friend class Scheduler;
  friend class Shield;
  friend class Task;
  friend class Wait;

 protected:
  Coroutine() = default;
  ~Coroutine() = default;

 private:
  Shard* shard_ = nullptr;
  Scope* scope_ = nullptr;
  Wait* wait_ = nullptr;
  std::byte* stack_base_ = nullptr;
  std::byte* stack_limit_ = nullptr;
  void* user_ = nullptr;
  const SwitchHooks* hooks_ = nullptr;
  SliceListener* listener_ = nullptr;
  Deadline deadline_;
  uint64_t id_ = 0;  // 0 while it is not in use
  uint32_t shields_ = 0;
  bool cancelled_ = false;
  char name_[24] = {};
  WaitQueue joiners_;
};

/// A weak handle to a coroutine: valid to hold after its end. To be used on the coroutine's shard
/// only.
class Task {
 public:
  Task() = default;
  /// False if the coroutine could not be made: its scope was cancelled, or no stack was to be had.
  [[nodiscard]] bool valid() const { return coroutine_ != nullptr; }
  [[nodiscard]] bool done() const { return !coroutine_ || coroutine_->id_ != id_; }
  /// The coroutine, or null after its end.
  [[nodiscard]] Coroutine* get() const { return done() ? nullptr : coroutine_; }
  /// Parks until the coroutine has ended. 0, -ETIMEDOUT, -ECANCELED (of the caller), -EDEADLK for
  /// itself.
  int join(Deadline deadline = {});
  void cancel() {
    if (Coroutine* coroutine = get()) coroutine->cancel();
  }

 private:
  friend class Scheduler;
  Task(Coroutine& coroutine) : coroutine_(&coroutine), id_(coroutine.id_) {}
  Coroutine* coroutine_ = nullptr;
  uint64_t id_ = 0;
};

/// While one lives, its coroutine's waits ignore cancels and the coroutine's deadline: for clean-up
/// that itself waits.
class Shield {
 public:
  Shield();
  ~Shield();
  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;

 private:
  Coroutine* coroutine_;
};

/// The running coroutine; null outside of one.
Coroutine* current();

/// Lets the others of this shard run. 0, or -ECANCELED when the caller is cancelled: a computing
/// coroutine ends by this.
int yield();

/// Parks for `time`. 0, -ECANCELED, or -ETIMEDOUT when the coroutine's own deadline came first.
int sleep_for(std::chrono::nanoseconds time);
int sleep_until(Deadline moment);

}  // namespace krait::io
