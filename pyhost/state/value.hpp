// A value as this process has it: some of its bytes, which of them are here, and which are not pushed yet.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "pyhost/state/interval_set.hpp"
#include "pyhost/wasi_types.hpp"
#include "store/state.hpp"

namespace krait::pyhost {

/// The bytes of one key in memory; sparse. Not thread-safe: its owner locks.
class ValueBytes {
 public:
  [[nodiscard]] uint64_t size() const { return size_; }
  /// What it takes, bytes; an upper bound of what writing `length` more may add is growth_of().
  [[nodiscard]] uint64_t memory() const { return allocated_ + (present_.count() + dirty_.count()) * IntervalCost; }
  static uint64_t growth_of(uint64_t length) { return length + 2 * ChunkBytes + 4 * IntervalCost; }

  /// Another value in its place, all of it unpushed.
  void assign(std::span<const std::byte> bytes);
  /// The value that the global tier has; none of it is here yet. Unpushed bytes are dropped.
  void adopt(uint64_t size);
  /// A new value of zeros, to be pushed whole.
  void create(uint64_t size);
  /// Cuts, or extends by zeros.
  void resize(uint64_t size);

  [[nodiscard]] bool has(Interval range) const { return present_.contains(range); }
  /// The bytes of a range that is here and inside.
  void copy_out(Interval range, std::byte* to) const;
  /// Writes inside the size; the range is then here and unpushed.
  void write(uint64_t offset, std::span<const std::byte> bytes);
  /// Takes what was read from the global tier: bytes that are here already stay; what lies past the end is dropped.
  void fill(uint64_t offset, std::span<const std::byte> bytes);
  /// The part of a range not here from the first missing byte to the last; empty where all is here.
  [[nodiscard]] Interval missing(Interval range) const;
  /// What is here of a range is unpushed from now on.
  void mark_dirty(Interval range);

  [[nodiscard]] bool clean() const { return dirty_.empty() && !size_dirty_ && !cut_; }
  enum class Push : uint8_t { Whole, Dirty };
  /// What a push sends, into `change`; the value is then clean.
  void take_push(Push what, store::StateChange& change);
  /// The same for the unpushed bytes inside `ranges`.
  void take_ranges(std::span<const Interval> ranges, store::StateChange& change);
  /// After a push that failed: what it took is unpushed again.
  void give_back(const store::StateChange& change);

 private:
  static constexpr uint64_t ChunkBytes = 64 << 10, IntervalCost = 64;

  store::Bytes& chunk(uint64_t index);
  void put(uint64_t offset, std::span<const std::byte> bytes);
  void append_range(Interval range, store::StateChange& change) const;
  void cut_chunks(uint64_t size);

  std::map<uint64_t, store::Bytes> chunks_;  // one that is not there is zeros, where present_ says that it is here
  IntervalSet present_, dirty_;
  uint64_t size_ = 0, allocated_ = 0;
  bool size_dirty_ = false;
  std::optional<uint64_t> cut_;  // unpushed: the global value keeps nothing from here on
};

}  // namespace krait::pyhost
