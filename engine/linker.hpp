// A linker: names for imports, and instantiation.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

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

/// Not thread-safe while it is being filled; instantiate() may then run on many threads, each with its own store.
class Linker {
 public:
  /// Later definitions of a name replace earlier ones.
  template <typename F>
  void func(const std::string& module, const std::string& name, F f) {
    host_funcs_[key(module, name)] = host_function(module, name, std::move(f));
  }
  void func(std::shared_ptr<const HostFunction> host);
  void define(const std::string& module, const std::string& name, Extern item);
  /// All exports of an instance, under `module`.
  void define_instance(const std::string& module, Instance& instance);

  /// Links, allocates, runs active segments and the start function. The store owns the instance, even where
  /// running failed: other instances may by then refer to its parts.
  Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module) const {
    return instantiate(store, std::move(module), nullptr);
  }
  /// The same, but the instance starts in the state of `snapshot`, which must be of this module: its memories are
  /// mapped copy-on-write, and neither segments nor the start function run. Null: as above.
  Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module,
                                                  std::shared_ptr<const Snapshot> snapshot) const;

 private:
  [[nodiscard]] Result<Extern> resolve(Store& store, const Module& module, const Import& import) const;
  static std::string key(std::string_view module, std::string_view name);
  std::unordered_map<std::string, std::shared_ptr<const HostFunction>> host_funcs_;
  std::unordered_map<std::string, Extern> items_;
};

}  // namespace krait::engine
