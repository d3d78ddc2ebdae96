// memory.atomic.wait and notify: a parking lot for the whole process, keyed by host address, so that instances on
// different threads that share a memory meet there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/store.hpp"

namespace krait::engine {

/// What memory.atomic.wait gives, as the spec numbers it. Interrupted: a poll raised a trap in the store.
enum class WaitResult : uint8_t { Woken = 0, NotEqual = 1, TimedOut = 2, Interrupted = 3 };

/// Blocks the thread until it is notified, `timeout_ns` (negative: never) is over, or the store is interrupted
/// and its poll traps. T is uint32_t or uint64_t; `at` is aligned to it. The store's interrupt bits are seen
/// within PollInterval. With a store that has on_yield it does not block, but calls that again and again.
template <typename T>
WaitResult atomic_wait(Context& context, const std::byte* at, T expected, int64_t timeout_ns);

/// Wakes up to `count` waiters in the order of their coming; returns how many. Any thread.
uint32_t atomic_notify(const std::byte* at, uint32_t count);

}  // namespace krait::engine
