// See blocking.hpp for the invariants. Threads are started when a job finds none idle, up to the
// limit, and stay.
#include "io/blocking.hpp"

#include <system_error>

#include "io/runtime.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

struct BlockingPool::Job final : Wait, ListNode {
  Job(BlockingPool& pool, Shard& shard, Closure work)
      : pool(pool), shard(shard), work(std::move(work)) {}
  void interrupt(int reason) override {
    if (pool.remove(*this)) complete(reason);
  }
  void done() { complete(0); }

  BlockingPool& pool;
  Shard& shard;
  Closure work;
};

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool BlockingPool::add(Job& job) {
  std::lock_guard lock(mutex_);
  if (idle_ == 0 && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) return false;
    }
  }
  jobs_.push_back(job);
  added_.notify_one();
  return true;
}

bool BlockingPool::remove(Job& job) {
  std::lock_guard lock(mutex_);
  const bool waiting = job.linked();
  job.unlink();
  return waiting;
}

void BlockingPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    Job* job;
    while (!(job = jobs_.pop_front())) {
      if (stop_) return;
      ++idle_;
      added_.wait(lock);
      --idle_;
    }
    lock.unlock();
    job->work();
    // From the post on the job may be gone.
    job->shard.post([job] { job->done(); });
    lock.lock();
  }
}

int offload(Closure work, Deadline deadline) {
  Scheduler* scheduler = Scheduler::current();
  if (!scheduler) return -EPERM;
  if (const int error = scheduler->check()) return error;
  BlockingPool& pool = scheduler->shard().runtime().blocking();
  BlockingPool::Job job(pool, scheduler->shard(), std::move(work));
  if (!pool.add(job)) return -EAGAIN;
  return scheduler->park(job, deadline);
}

}  // namespace krait::io
