// Coroutine stacks: large in address space, small in memory.
#pragma once

#include <cstddef>
#include <vector>

namespace krait::io {

/// One stack: bytes [limit, base) are usable and [limit - guard, limit) faults. `base` is the high
/// end. Empty when null.
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
    size_t stack_size = size_t{8} << 20;  ///< usable bytes; rounded up to whole pages
    size_t guard_size =
        size_t{64}
        << 10;  ///< bytes below that fault, so that a frame of that size cannot step over
    size_t resident =
        size_t{64} << 10;     ///< bytes at the top that an idle stack may keep resident for long
    size_t keep_idle = 256;   ///< idle stacks that stay mapped however long nobody needs them
    size_t max_idle = 16384;  ///< idle stacks ever kept
  };

  explicit StackPool(Options options);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// An idle or a new stack; empty when the system has no more address space, mappings or memory.
  Stack acquire();
  /// Takes back a stack of this pool that nothing runs on.
  void release(Stack stack);
  /// To be called every hundred milliseconds or so: gives back to the system what nobody needed
  /// since the last call, a bounded part of it each time.
  void tend();
  /// Whether another tend() will find something.
  [[nodiscard]] bool needs_tending() const {
    return !deep_.empty() || shallow_.size() > options_.keep_idle;
  }

  [[nodiscard]] size_t idle() const { return deep_.size() + shallow_.size(); }
  /// How many idle stacks may hold more than `resident`.
  [[nodiscard]] size_t deep() const { return deep_.size(); }
  [[nodiscard]] size_t mapped() const { return mapped_; }

 private:
  static constexpr size_t MaxDeep = 64;
  static constexpr size_t UnmapAtOnce = 64;

  Stack map();
  void unmap(Stack stack);
  [[nodiscard]] bool used_deeply(Stack stack) const;
  void trim_oldest(size_t count);

  Options options_;
  size_t page_;
  // Both last in, first out; of each the first `low` have not been taken since the last tend().
  std::vector<Stack> deep_;
  std::vector<Stack> shallow_;
  size_t deep_low_ = 0;
  size_t shallow_low_ = 0;
  size_t mapped_ = 0;
  bool guard_without_mapping_ = true;
};

}  // namespace krait::io
