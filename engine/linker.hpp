// A linker: names for imports, and instantiation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/host.hpp"
#include "engine/snapshot.hpp"

namespace krait::engine {

/// Why no instance was made.
struct InstantiateError {
  enum class Stage : uint8_t { Link, Run } stage = Stage::Link;
  Error link;   ///< Link: an import is missing or has another type, or a limit is exceeded
  Trap trap;    ///< Run: an active segment or the start function trapped
  [[nodiscard]] std::string to_string() const;
};

/// A function that the instance to be made defines itself, by its index.
struct OwnFunction {
  uint32_t index;
};
/// What an import may be bound to.
using Binding = std::variant<Extern, OwnFunction>;
/// Gives what an import of a module is to be bound to, or why there is nothing. Types are checked by who asks.
using Resolver = std::function<Result<Binding>(const Import& import)>;

/// Links by `resolve`, allocates, and runs active segments and the start function; or takes up the state of `snapshot`, where
/// that is not null. The store owns the instance, even where running failed: others may by then refer to its parts.
Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module, const Resolver& resolve,
                                                std::shared_ptr<const Snapshot> snapshot);

/// Not thread-safe while it is being filled; instantiate() may then run on many threads, each with its own store.
class Linker {
 public:
  /// Later definitions of a name replace earlier ones.
  template <typename F>
  void func(const std::string& module, const std::string& name, F f) {
    host_funcs_[{module, name}] = host_function(module, name, std::move(f));
  }
  void func(std::shared_ptr<const HostFunction> host);
  void define(const std::string& module, const std::string& name, Extern item);
  /// All exports of an instance, under `module`.
  void define_instance(const std::string& module, Instance& instance);
  /// What is defined under a name, as an item of `store`.
  [[nodiscard]] std::optional<Extern> find(Store& store, std::string_view module, std::string_view name) const;

  /// As engine::instantiate, with what is defined here.
  Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module) const {
    return instantiate(store, std::move(module), nullptr);
  }
  /// The same, but the instance starts in the state of `snapshot`, which must be of this module: its memories are
  /// mapped copy-on-write, and neither segments nor the start function run. Null: as above.
  Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module,
                                                  std::shared_ptr<const Snapshot> snapshot) const;

 private:
  using Name = std::pair<std::string, std::string>;
  using NameView = std::pair<std::string_view, std::string_view>;
  /// Looks names up without making strings of them: instances are made by the thousand a second.
  struct Hash {
    using is_transparent = void;
    size_t operator()(const NameView& name) const {
      return std::hash<std::string_view>()(name.first) * 31 + std::hash<std::string_view>()(name.second);
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const NameView& a, const NameView& b) const { return a == b; }
  };
  template <typename T>
  using Names = std::unordered_map<Name, T, Hash, Equal>;
  Names<std::shared_ptr<const HostFunction>> host_funcs_;
  Names<Extern> items_;
};

}  // namespace krait::engine
