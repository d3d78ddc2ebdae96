// No system call on the way of a spawn or an exit. A returned stack is deep if its last resident
// page is not all zero: a read, of the shared zero page where nothing was written, tells it without
// holding memory. Deep stacks are reused first and keep their pages, since the next call will need
// them; tend() trims those that nobody took for a while, and unmaps idle stacks in the same way. At
// most MaxDeep idle stacks are deep at any time.
//
// The guard is a lightweight guard region (Linux 6.13) where there is one: the stack then is a
// single mapping, adjacent stacks merge into one, and ten thousand of them stay far from
// vm.max_map_count. Otherwise it is a PROT_NONE mapping.
#include "io/stack_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdint>

namespace krait::io {

namespace {

constexpr int AdviseGuardInstall = 102;  // MADV_GUARD_INSTALL, newer than the headers

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

StackPool::StackPool(Options options)
    : options_(options), page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
  options_.resident = round_up(std::max(options_.resident, page_), page_);
  options_.stack_size = round_up(std::max(options_.stack_size, options_.resident), page_);
  options_.guard_size = round_up(std::max(options_.guard_size, page_), page_);
}

StackPool::~StackPool() {
  for (const Stack& stack : deep_) unmap(stack);
  for (const Stack& stack : shallow_) unmap(stack);
  assert(mapped_ == 0);
}

Stack StackPool::acquire() {
  std::vector<Stack>& from = deep_.empty() ? shallow_ : deep_;
  if (from.empty()) return map();
  const Stack stack = from.back();
  from.pop_back();
  deep_low_ = std::min(deep_low_, deep_.size());
  shallow_low_ = std::min(shallow_low_, shallow_.size());
  return stack;
}

void StackPool::release(Stack stack) {
  if (idle() >= options_.max_idle) {
    unmap(stack);
  } else if (used_deeply(stack)) {
    if (deep_.size() == MaxDeep) trim_oldest(MaxDeep / 2);
    deep_.push_back(stack);
  } else {
    shallow_.push_back(stack);
  }
}

#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("address", "thread")))
#endif
bool StackPool::used_deeply(Stack stack) const {
  const auto* word = reinterpret_cast<const uint64_t*>(stack.base - options_.resident);
  uint64_t any = 0;
  for (size_t i = 0; i < page_ / sizeof *word; ++i) any |= word[i];
  return any != 0;
}

void StackPool::trim_oldest(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    // With the page that tells: it must read as zero again.
    madvise(deep_[i].limit, deep_[i].size() - options_.resident + page_, MADV_DONTNEED);
    shallow_.push_back(deep_[i]);
  }
  deep_.erase(deep_.begin(), deep_.begin() + static_cast<ptrdiff_t>(count));
  deep_low_ = deep_low_ > count ? deep_low_ - count : 0;
}

void StackPool::tend() {
  trim_oldest(deep_low_);
  if (shallow_.size() > options_.keep_idle) {
    const size_t excess =
        std::min({shallow_low_, shallow_.size() - options_.keep_idle, UnmapAtOnce});
    for (size_t i = 0; i < excess; ++i) unmap(shallow_[i]);
    shallow_.erase(shallow_.begin(), shallow_.begin() + static_cast<ptrdiff_t>(excess));
  }
  deep_low_ = deep_.size();
  shallow_low_ = shallow_.size();
}

Stack StackPool::map() {
  const size_t size = options_.guard_size + options_.stack_size;
  void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (start == MAP_FAILED) return {};
  // One touched page of a stack must not become a huge page.
  madvise(start, size, MADV_NOHUGEPAGE);
  if (guard_without_mapping_ && madvise(start, options_.guard_size, AdviseGuardInstall) != 0)
    guard_without_mapping_ = false;
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
