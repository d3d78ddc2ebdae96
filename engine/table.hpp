// Tables. A funcref table holds 16-byte entries for calls; any other holds plain references.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/context.hpp"
#include "engine/types.hpp"

namespace krait::engine {

/// A reference on the operand stack or in a global: 0 is null. funcref: a FuncInstance*; exnref: an
/// Exception*; externref: the host's value plus one, so that 0 stays null.
using Ref = uint64_t;

/// A module's canonical index of a type, or ForeignType.
uint32_t canonical_in(const Module& module, const FuncType& type);

/// Elements of a funcref table as the module's active segments leave them: frozen, shared by instances.
using TableImage = std::vector<FuncEntry>;

/// Not thread-safe.
class TableInstance {
 public:
  TableInstance(Instance& home, const TableType& type, uint64_t element_cap);
  /// Starts as `image`, shared until the first write.
  TableInstance(Instance& home, const TableType& type, uint64_t element_cap,
                std::shared_ptr<const TableImage> image);

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] const TableType& type() const { return type_; }
  [[nodiscard]] Instance& home() const { return *home_; }
  /// For call_indirect of code of the home instance; null for tables of other references.
  [[nodiscard]] const FuncEntry* entries() const { return entries_; }

  /// `index` must be below size().
  [[nodiscard]] Ref get(uint64_t index) const;
  void set(uint64_t index, Ref value);
  /// The function at `index`, or null.
  [[nodiscard]] FuncInstance* func(uint64_t index) const;
  /// The function that an entry's `func` field names.
  [[nodiscard]] FuncInstance* resolve(uint32_t func) const;
  /// The old size, or -1 where the cap or the maximum forbids it.
  int64_t grow(uint64_t delta, Ref value);
  [[nodiscard]] bool contains(uint64_t index, uint64_t count) const {
    return index <= size_ && count <= size_ - index;
  }

 private:
  friend class Instantiation;
  friend class Snapshot;
  FuncEntry entry_for(const FuncInstance* func);
  /// Its first foreign functions, in order; for a snapshot, of which the entries are.
  void name_foreign(std::span<FuncInstance* const> functions);
  /// Forgets all but the first `count`, which are null until they are named.
  void forget_foreign(size_t count);
  void make_private();
  void publish();  // into the home's context, if this is its table 0

  Instance* home_;
  TableType type_;
  uint64_t size_ = 0, cap_;
  const FuncEntry* entries_ = nullptr;
  std::shared_ptr<const TableImage> image_;
  std::vector<FuncEntry> own_;
  std::vector<Ref> refs_;
  std::vector<FuncInstance*> foreign_;
  std::unordered_map<const FuncInstance*, uint32_t> foreign_at_;
};

}  // namespace krait::engine
