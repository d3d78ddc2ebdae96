// The runtime: its shards, the ticker that keeps them fair, and a few threads for system calls that
// cannot but block.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "io/blocking.hpp"
#include "io/shard.hpp"
#include "io/stack_pool.hpp"

namespace krait::io {

struct Options {
  unsigned shards = 0;  ///< threads; 0: as many as this process may use cores
  StackPool::Options stacks;
  std::chrono::nanoseconds slice = std::chrono::milliseconds(5);
  unsigned ring_entries = 512;  ///< submissions a shard can batch
  unsigned ring_level = 0;  ///< leaves out newer features of the kernel (Ring::Levels), for tests
  uint64_t ring_without = 0;  ///< bits (1 << opcode) that count as missing, for tests
  unsigned blocking_threads = 4;  ///< most threads that offload() starts
};

class Runtime {
 public:
  /// Starts all shards. The error is one line that says what the system refuses.
  static Result<std::unique_ptr<Runtime>> start(Options options = {});
  /// Shuts down if that has not been done, cancelling at once and without bound.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  [[nodiscard]] size_t shards() const { return shards_.size(); }
  [[nodiscard]] Shard& shard(size_t index) { return *shards_[index]; }

  /// Waits up to `drain` for all coroutines of the root scopes to end, then cancels them and waits
  /// up to `cancel` more. On success all threads have ended. The error names the coroutines that
  /// would not; they go on, and it may be called again. From a thread that is no shard.
  Result<void> shutdown(std::chrono::nanoseconds drain, std::chrono::nanoseconds cancel);

  [[nodiscard]] Ticker& ticker() { return *ticker_; }
  [[nodiscard]] BlockingPool& blocking() { return *blocking_; }

 private:
  Runtime() = default;
  void stop_shards();

  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Ticker> ticker_;
  std::unique_ptr<BlockingPool> blocking_;
  bool stopped_ = false;
};

}  // namespace krait::io
