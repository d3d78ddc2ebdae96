// The dynamic linker of one sandbox: side modules linked into the running main module.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/linker.hpp"
#include "pyhost/dynlink/side_module.hpp"

namespace krait::pyhost {

/// What of a sandbox's state lies in its side modules, beside the main module's memory and table. Immutable; any thread.
struct LinkedState {
  struct Side {
    std::shared_ptr<const SideModule> module;  ///< null: it was never linked, but has its number
    std::string name;
    uint32_t memory_base = 0, table_base = 0;
    bool global = false;
    std::vector<uint32_t> needed;              ///< by number
    std::vector<uint32_t> got;                 ///< values of its GOT, in the order of its imports
    std::shared_ptr<const engine::Snapshot> state;
  };
  std::vector<Side> sides;
  std::vector<std::pair<uint32_t, uint32_t>> outside;  ///< functions in the main module's table: side, function index

  [[nodiscard]] std::vector<std::byte> encode() const;
  static Result<std::shared_ptr<const LinkedState>> decode(std::span<const std::byte> bytes, SideModules& modules);
};

/// Not thread-safe. What the guest says (addresses, numbers, names) is checked; an error is a sentence for dlerror().
class Loader {
 public:
  /// The main module's number.
  static constexpr uint32_t Main = engine::NoIndex;

  /// `main` exports its memory, `__indirect_function_table` and `__stack_pointer`; without them nothing can be linked. All live
  /// longer than the loader. `hosts` has what side modules may import beside the main module's exports.
  Loader(engine::Store& store, engine::Instance& main, const engine::Linker& hosts, SideModules& modules);

  /// Compiles a side module. Its number.
  Result<uint32_t> load(std::span<const std::byte> bytes, std::string_view name);
  /// One that was loaded, or null.
  [[nodiscard]] const SideModule* side(uint32_t number) const { return number < sides_.size() ? sides_[number].module.get() : nullptr; }
  /// Makes its instance, with its data at `memory_base`. Symbols are looked for in itself, the main module, `needed`, and then
  /// what was linked as `global`. Relocations and constructors are left to the guest.
  Result<void> link(uint32_t number, uint32_t memory_base, std::span<const uint32_t> needed, bool global);

  /// The address of what `number` or something that it needs exports: of data, or a function's place in the table, which it gets
  /// if it has none.
  Result<uint32_t> symbol(uint32_t number, const std::string& name);
  [[nodiscard]] uint32_t table_size() const { return table_ ? static_cast<uint32_t>(table_->size()) : 0; }
  /// The function at a place of the table, or null.
  [[nodiscard]] engine::FuncInstance* function_at(uint32_t index) const {
    return table_ && index < table_->size() ? table_->func(index) : nullptr;
  }

  /// The state, and the functions of side modules in the main module's table, for engine::Snapshot. Fails where it cannot be kept.
  Result<std::shared_ptr<const LinkedState>> take(std::vector<engine::FuncInstance*>& outside);
  /// Links what `state` has, in a fresh sandbox, and gives the functions for engine::Snapshot::bind.
  Result<std::vector<engine::FuncInstance*>> restore(const LinkedState& state);
  /// Forgets what was linked since restore(), or all where `state` is null; the store ends it then (Store::release). The
  /// rest is put back.
  Result<void> reset(const LinkedState* state);

 private:
  struct Side {
    std::shared_ptr<const SideModule> module;
    std::string name;
    engine::Instance* instance = nullptr;
    uint32_t memory_base = 0, table_base = 0;
    bool global = false;
    std::vector<uint32_t> needed;  // and what those need
    std::vector<engine::GlobalInstance*> got;
  };
  /// Something by its name.
  struct Found {
    engine::Extern item;
    uint32_t base;  ///< of data: what the exported number counts from
  };

  void set_needed(Side& side, std::span<const uint32_t> needed);
  [[nodiscard]] uint64_t cost_of(const Side& side) const;
  Result<void> make_room(Side& side);
  Result<engine::Instance*> instantiate(Side& side, std::shared_ptr<const engine::Snapshot> state);
  Result<engine::Binding> bind(Side& side, const engine::Import& import);
  Result<engine::Binding> bind_env(Side& side, const engine::Import& import);
  Result<void> fill_got(Side& side);
  std::optional<Found> exported(const Side& side, std::string_view name) const;
  std::optional<Found> exported_by_main(std::string_view name) const;
  std::optional<Found> lookup(const Side& side, std::string_view name) const;
  std::optional<Found> lookup_needed(const Side& side, std::string_view name) const;
  Result<uint32_t> address(const Found& found);
  Result<uint32_t> place_of(engine::FuncInstance* func);
  void learn_places(uint64_t begin, uint64_t end);

  engine::Store& store_;
  engine::Instance& main_;
  const engine::Linker& hosts_;
  SideModules& modules_;
  engine::TableInstance* table_;
  std::vector<Side> sides_;
  std::vector<std::pair<std::string_view, engine::TagInstance*>> tags_;
  std::unordered_map<const engine::FuncInstance*, uint32_t> places_;  // in the table; empty until it is needed
  uint64_t cost_ = 0;  // of what the guest has had loaded and linked, in bytes of the host's memory
};

}  // namespace krait::pyhost
