// The state of an instance: taken once, then the start of many instances, or bytes in a file.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "engine/frozen.hpp"
#include "engine/instance.hpp"

namespace krait::engine {

/// Memories, tables, mutable globals and dropped segments that the instance itself defines; what it
/// imports is not part of it. Immutable; shared by stores and threads.
class Snapshot {
 public:
  /// The state of `instance` as it stands. No call may be under way in it. Fails where the state refers to what is
  /// outside the instance: an external reference, an exception, or a function of another one; but tables may hold
  /// functions of `outside`, which are known by their places there.
  static Result<std::shared_ptr<const Snapshot>> take(Instance& instance, std::span<engine::FuncInstance* const> outside = {});

  /// Functions outside the instance that its tables may hold. Where there are any, bind() has to give those of its own store
  /// to a new instance before anything else is done with it; types must be those that were there when it was taken.
  [[nodiscard]] size_t outside() const { return outside_types_.size(); }
  Result<void> bind(Instance& instance, std::span<engine::FuncInstance* const> outside) const;

  /// Bytes for a file: little-endian, holes of zero pages left out, not compressed. They are for the
  /// same module only; whoever keeps them keys them by it.
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// From the bytes of encode(). Every count and index is checked against `module`.
  static Result<std::shared_ptr<const Snapshot>> decode(const Module& module, std::span<const std::byte> bytes);

  /// The same for a file that is mapped: memories whole, at offsets of host pages behind the rest.
  [[nodiscard]] std::vector<std::byte> encode_plain() const;
  /// From such a file: its pages are not read before they are needed, so what they hold is not checked, as it is nothing
  /// but the guest's own; all else is, as by decode(). The file must not change from now on.
  static Result<std::shared_ptr<const Snapshot>> map(const Module& module, int fd);

  /// Puts a running instance that was made from this snapshot back into its state: memories by Memory::reset,
  /// tables and globals by copying. No call may be under way in it. Returns the bytes of its memories that are its own
  /// from now on: the pages that calls wrote to since it was made.
  Result<uint64_t> restore(Instance& instance) const;

  /// Bytes of all memories, for limits and reports.
  [[nodiscard]] uint64_t memory_bytes() const;

 private:
  friend class Instantiation;
  /// An element or a reference global: a function index of the module, or behind those a place outside; NoIndex for null.
  using FuncIndex = uint32_t;

  std::vector<std::byte> encode_rest() const;
  static Result<void> decode_rest(const Module& module, std::span<const std::byte> bytes, Snapshot& snapshot);
  void apply_globals(Instance& instance) const;
  void apply_tables(Instance& instance) const;
  void apply_dropped(Instance& instance) const;

  std::shared_ptr<const TableImage> table_image(Instance& home, uint32_t index) const;

  std::vector<std::shared_ptr<const MemoryImage>> memories_;  // by memory index; null where imported
  std::vector<std::vector<FuncIndex>> tables_;                // by table index; empty where imported
  std::vector<GlobalCell> globals_;                           // by defined global; references as FuncIndex
  std::vector<bool> dropped_elements_, dropped_data_;
  std::vector<uint32_t> outside_types_;                       // canonical type in the module, or ForeignType
  mutable TableImageSets table_images_;
};

}  // namespace krait::engine
