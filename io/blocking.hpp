// Threads for the system calls that block and that the ring does not have.
//
// Invariants
//  1. mutex_ guards everything. The threads touch nothing of a shard but its inbox.
//  2. A job lives on its coroutine's stack. Once a thread has taken it the coroutine waits for its
//  end, whatever happens.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "io/coroutine.hpp"
#include "io/list.hpp"

namespace krait::io {

class BlockingPool {
 public:
  explicit BlockingPool(unsigned max_threads) : max_threads_(max_threads == 0 ? 1 : max_threads) {}
  /// Ends the threads. No job may be left.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

 private:
  friend int offload(Closure work, Deadline deadline);
  struct Job;
  bool add(Job& job);
  bool remove(Job& job);
  void run();

  const unsigned max_threads_;
  std::mutex mutex_;
  std::condition_variable added_;
  List<Job> jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stop_ = false;
};

/// Parks the caller while `work` runs on a thread of its own. 0 when it has run; -ETIMEDOUT or
/// -ECANCELED only if it had not begun by then and never will; -EAGAIN if the system gives no
/// thread. `work` must not use io/.
int offload(Closure work, Deadline deadline = {});

}  // namespace krait::io
