// Bulk instructions, as the interpreter, machine code and instantiation run them. Nothing is written and the result is
// false where a range does not lie inside. Operands are what the guest gave, 32 bits wide.
#pragma once

#include <cstring>

#include "engine/instance.hpp"

namespace krait::engine::bulk {

/// [at, at + count) lies in [0, size); the sum does not wrap.
constexpr bool fits(uint64_t at, uint64_t count, uint64_t size) { return at + count <= size; }

inline bool memory_copy(Memory& into, uint64_t to, const Memory& out_of, uint64_t from, uint64_t count) {
  if (!out_of.contains(from, count) || !into.contains(to, count)) return false;
  std::memmove(into.base() + to, out_of.base() + from, count);
  return true;
}

inline bool memory_fill(Memory& memory, uint64_t to, uint64_t value, uint64_t count) {
  if (!memory.contains(to, count)) return false;
  std::memset(memory.base() + to, static_cast<uint8_t>(value), count);
  return true;
}

inline bool memory_init(Memory& memory, uint64_t to, std::span<const std::byte> data, uint64_t from, uint64_t count) {
  if (!fits(from, count, data.size()) || !memory.contains(to, count)) return false;
  if (count) std::memcpy(memory.base() + to, data.data() + from, count);  // a dropped segment's data() is null
  return true;
}

inline bool table_copy(TableInstance& into, uint64_t to, const TableInstance& out_of, uint64_t from, uint64_t count) {
  if (!out_of.contains(from, count) || !into.contains(to, count)) return false;
  if (to <= from) {
    for (uint64_t i = 0; i < count; ++i) into.set(to + i, out_of.get(from + i));
  } else {
    for (uint64_t i = count; i-- > 0;) into.set(to + i, out_of.get(from + i));
  }
  return true;
}

inline bool table_fill(TableInstance& table, uint64_t to, Ref value, uint64_t count) {
  if (!table.contains(to, count)) return false;
  for (uint64_t i = 0; i < count; ++i) table.set(to + i, value);
  return true;
}

/// `segment` is of `home`, which need not be the table's.
inline bool table_init(TableInstance& table, uint64_t to, Instance& home, uint32_t segment, uint64_t from, uint64_t count) {
  if (!fits(from, count, home.element_count(segment)) || !table.contains(to, count)) return false;
  for (uint64_t i = 0; i < count; ++i) table.set(to + i, home.element(segment, from + i));
  return true;
}

}  // namespace krait::engine::bulk
