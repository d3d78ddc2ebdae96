// Coroutine stacks: large in address space, small in memory.
#pragma once

#include <cstddef>
#include <vector>

namespace krait::io {

/// One stack: bytes [limit, base) are usable and [limit - guard, limit) faults. `base` is the high end. Empty when null.
struct Stack {
  std::byte* limit = nullptr;
  std::byte* base = nullptr;

  [[nodiscard]] size_t size() const { return static_cast<size_t>(base - limit); }
  explicit operator bool() const { return base != nullptr; }
};

/// The stacks of one shard. Thread-safety: none, one shard uses it.
class StackPool {
 public:
  struct Options {
    size_t stack_size = size_t{8} << 20;   ///< usable bytes; rounded up to whole pages
    size_t guard_size = size_t{64} << 10;  ///< bytes below that fault, so that a frame of that size cannot step over
    size_t resident = size_t{64} << 10;    ///< bytes at the top that an idle stack may keep resident
    size_t max_idle = 1024;                ///< idle stacks kept mapped; more are unmapped on return
  };

  explicit StackPool(Options options);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// An idle or a new stack; empty when the system has no more address space, mappings or memory.
  Stack acquire();
  /// Takes back a stack of this pool that nothing runs on.
  void release(Stack stack);
  /// Gives back to the system what idle stacks hold above `resident`. Called when the shard goes idle.
  void trim();

  /// How many idle stacks may hold more than `resident`.
  [[nodiscard]] size_t untrimmed() const { return idle_.size() - trimmed_; }
  [[nodiscard]] size_t idle() const { return idle_.size(); }
  [[nodiscard]] size_t mapped() const { return mapped_; }

 private:
  static constexpr size_t MaxUntrimmed = 32;

  Stack map();
  void unmap(Stack stack);
  void trim_oldest(size_t count);

  Options options_;
  std::vector<Stack> idle_;  // used as a stack: [0, trimmed_) are trimmed, the rest not
  size_t trimmed_ = 0;
  size_t mapped_ = 0;
  bool guard_without_mapping_ = true;
};

}  // namespace krait::io
