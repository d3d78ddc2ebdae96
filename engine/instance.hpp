// An instance of a module in a store, and the things it is made of.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/context.hpp"
#include "engine/memory.hpp"
#include "engine/module.hpp"
#include "engine/table.hpp"

namespace krait::engine {

class CodeImage;

/// A tag's identity is its address.
struct TagInstance {
  const FuncType* type;
};

/// An exception in flight or caught. Owned by its store, which frees those that nothing refers to.
struct Exception {
  TagInstance* tag;
  std::vector<Slot> payload;
  bool marked = false;
};

/// What an import is bound to and an export gives. Owned by the store.
using Extern = std::variant<FuncInstance*, TableInstance*, Memory*, GlobalInstance*, TagInstance*>;
ExternKind kind_of(const Extern& item);

/// Owned by its store; lives as long as it. Not thread-safe.
class Instance {
 public:
  [[nodiscard]] const Module& module() const { return *module_; }
  [[nodiscard]] const std::shared_ptr<const Module>& module_ptr() const { return module_; }
  [[nodiscard]] Store& store() const { return *context_.store; }
  [[nodiscard]] Context& context() { return context_; }

  /// The export of that name, if there is one of that kind; else null.
  [[nodiscard]] FuncInstance* export_func(std::string_view name);
  [[nodiscard]] Memory* export_memory(std::string_view name);
  [[nodiscard]] TableInstance* export_table(std::string_view name);
  [[nodiscard]] GlobalInstance* export_global(std::string_view name);
  [[nodiscard]] std::optional<Extern> find_export(std::string_view name);
  /// What an export of the module gives.
  [[nodiscard]] Extern item(const Export& exported);

  /// By index in the module's index space; imports included.
  [[nodiscard]] FuncInstance& func(uint32_t index);
  [[nodiscard]] TableInstance& table(uint32_t index) { return *tables_[index]; }
  [[nodiscard]] Memory& memory(uint32_t index) { return *memories_[index]; }
  [[nodiscard]] GlobalInstance& global(uint32_t index) { return *global_instances_[index]; }
  [[nodiscard]] TagInstance& tag(uint32_t index) { return *tags_[index]; }

  /// Segments: an element of a segment as a reference; dropped segments have no elements and no bytes.
  [[nodiscard]] uint64_t element_count(uint32_t segment) const;
  [[nodiscard]] Ref element(uint32_t segment, uint64_t index);
  void drop_elements(uint32_t segment) { dropped_elements_[segment] = true; }
  [[nodiscard]] std::span<const std::byte> data(uint32_t segment) const;
  void drop_data(uint32_t segment) { dropped_data_[segment] = true; }

  /// What stands in table entries and FuncInstances for a function of this instance (context.hpp, invariant 3).
  [[nodiscard]] const void* code_of(uint32_t func_index) const;

  /// The value of a constant expression of this module, low half and high half (v128).
  GlobalCell evaluate(const ConstExpr& expr);

  /// Machine code of the module, or null.
  [[nodiscard]] CodeImage* code_image() const { return code_image_.get(); }
  [[nodiscard]] const std::shared_ptr<CodeImage>& code_image_ptr() const { return code_image_; }

 private:
  friend class Instantiation;
  friend class TableInstance;
  friend class Snapshot;
  friend class Store;
  explicit Instance(Store& store, std::shared_ptr<const Module> module);

  static constexpr uint32_t FuncChunk = 64;
  /// Those of a chunk: `first` is its first one's place among the defined functions.
  [[nodiscard]] std::unique_ptr<FuncInstance[]> make_funcs(uint32_t first);

  Context context_;
  std::shared_ptr<const Module> module_;
  std::shared_ptr<CodeImage> code_image_;
  std::vector<FuncInstance*> imports_;
  /// The defined ones, in chunks that are made at the first need of one in them: CPython has 10,548, and a call names a handful.
  std::vector<std::unique_ptr<FuncInstance[]>> funcs_;
  std::vector<TableInstance*> tables_;
  std::vector<Memory*> memories_;
  std::vector<GlobalCell*> globals_;
  std::vector<GlobalInstance*> global_instances_;
  /// A defined global, by its place among them.
  GlobalInstance& own_global(size_t i) { return i < InlineGlobals ? context_.inline_globals[i] : more_globals_[i - InlineGlobals]; }
  std::vector<GlobalInstance> more_globals_;  // the defined ones that the context does not hold
  std::vector<TagInstance*> tags_;
  std::vector<bool> dropped_elements_, dropped_data_;
};

}  // namespace krait::engine
