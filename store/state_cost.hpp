// What both tiers count and refuse alike. Private to store/state*.cpp.
#pragma once

#include <algorithm>

#include "store/state.hpp"

namespace krait::store {

constexpr uint64_t StateKeyCost = 256, StateElementCost = 32;

/// Why a change cannot be made whatever there is: its key, or a size that no share has room for.
std::optional<StateError> refuse(const StateChange& change, const StateOptions& options);
StateError full_error(const std::string& user, uint64_t taken, const StateOptions& options);

/// The value's size after a Write.
inline uint64_t size_after(const StateChange& change, uint64_t size) {
  if (change.cut) size = std::min(size, *change.cut);
  if (change.size) size = *change.size;
  for (const auto& range : change.ranges) size = std::max<uint64_t>(size, range.offset + range.bytes.size());
  return size;
}

}  // namespace krait::store
