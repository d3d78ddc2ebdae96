// What is released goes straight to the longest waiter (the mutex's ownership, the semaphore's
// unit), not back into the pot: a waiter that was woken has it, even if it is cancelled or timed
// out before it runs.
#include "io/sync.hpp"

#include "io/scheduler.hpp"

namespace krait::io {

bool Mutex::try_lock() {
  if (owner_) return false;
  owner_ = current();
  return owner_ != nullptr;
}

int Mutex::lock(Deadline deadline) {
  if (try_lock()) return 0;
  if (owner_ && owner_ == current()) return -EDEADLK;
  if (const int error = waiters_.wait(deadline)) return error;
  owner_ = current();
  return 0;
}

void Mutex::unlock() {
  assert(owner_ == current());
  // Woken waiters have not run yet: until they do, the mutex must look taken.
  if (!waiters_.wake_one()) owner_ = nullptr;
}

int Condition::wait(Mutex& mutex, Deadline deadline) {
  mutex.unlock();
  const int result = waiters_.wait(deadline);
  Shield shield;
  mutex.lock();
  return result;
}

bool Semaphore::try_acquire() {
  if (count_ == 0) return false;
  --count_;
  return true;
}

int Semaphore::acquire(Deadline deadline) { return try_acquire() ? 0 : waiters_.wait(deadline); }

void Semaphore::release() {
  if (!waiters_.wake_one()) ++count_;
}

}  // namespace krait::io
