// Idle stacks are reused last in, first out, and trimmed lazily from the old end: a spawn that follows an exit gets a warm
// stack at the cost of a vector pop, while at most MaxUntrimmed idle stacks hold more than `resident` bytes, and none once
// the shard sleeps.
//
// The guard is a lightweight guard region (Linux 6.13) where there is one: the stack then is a single mapping, adjacent
// stacks merge into one, and ten thousand of them stay far from vm.max_map_count. Otherwise it is a PROT_NONE mapping.
#include "io/stack_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>

namespace krait::io {

namespace {

constexpr int AdviseGuardInstall = 102;  // MADV_GUARD_INSTALL, newer than the headers

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

StackPool::StackPool(Options options) : options_(options) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  options_.stack_size = round_up(std::max(options_.stack_size, page), page);
  options_.guard_size = round_up(std::max(options_.guard_size, page), page);
  options_.resident = std::min(round_up(options_.resident, page), options_.stack_size);
}

StackPool::~StackPool() {
  for (const Stack& stack : idle_) unmap(stack);
  assert(mapped_ == 0);
}

Stack StackPool::acquire() {
  if (idle_.empty()) return map();
  const Stack stack = idle_.back();
  idle_.pop_back();
  trimmed_ = std::min(trimmed_, idle_.size());
  return stack;
}

void StackPool::release(Stack stack) {
  if (idle_.size() >= options_.max_idle) {
    unmap(stack);
    return;
  }
  idle_.push_back(stack);
  if (idle_.size() - trimmed_ > MaxUntrimmed) trim_oldest(MaxUntrimmed / 2);
}

void StackPool::trim() { trim_oldest(idle_.size() - trimmed_); }

void StackPool::trim_oldest(size_t count) {
  for (; count > 0; --count) {
    const Stack& stack = idle_[trimmed_++];
    madvise(stack.limit, stack.size() - options_.resident, MADV_DONTNEED);
  }
}

Stack StackPool::map() {
  const size_t size = options_.guard_size + options_.stack_size;
  void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (start == MAP_FAILED) return {};
  // One touched page of a stack must not become a huge page.
  madvise(start, size, MADV_NOHUGEPAGE);
  if (guard_without_mapping_ && madvise(start, options_.guard_size, AdviseGuardInstall) != 0) guard_without_mapping_ = false;
  if (!guard_without_mapping_ && mprotect(start, options_.guard_size, PROT_NONE) != 0) {
    munmap(start, size);
    return {};
  }
  ++mapped_;
  std::byte* limit = static_cast<std::byte*>(start) + options_.guard_size;
  return {limit, limit + options_.stack_size};
}

void StackPool::unmap(Stack stack) {
  munmap(stack.limit - options_.guard_size, options_.guard_size + stack.size());
  --mapped_;
}

}  // namespace krait::io
