// Side modules: C extensions and other shared libraries as the tool conventions' "dynamic linking" lays them down.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/compiler.hpp"
#include "engine/module.hpp"
#include "store/digest.hpp"

namespace krait::pyhost {

/// A module with a section "dylink.0". Immutable; any thread.
struct SideModule {
  std::shared_ptr<const engine::Module> module;
  std::shared_ptr<engine::CodeImage> code;  ///< kept: a compiler forgets an image that no instance uses
  store::Digest digest;                     ///< of its bytes
  uint32_t memory_bytes = 0, memory_alignment = 1;  ///< bytes
  uint32_t table_elements = 0, table_alignment = 1;
  std::vector<std::string> needed;          ///< libraries to be loaded first
  std::unordered_set<std::string> weak;     ///< imports that may stay unresolved
};

/// Compiles and checks a side module: it has "dylink.0", shares memory and table 0 of the main module, and defines neither.
/// `digest` is that of `bytes`.
Result<std::shared_ptr<const SideModule>> read_side_module(std::span<const std::byte> bytes, const store::Digest& digest,
                                                           engine::Compiler* compiler);

/// The side modules that were used last, by their contents. Any thread.
class SideModules {
 public:
  explicit SideModules(engine::Compiler* compiler) : compiler_(compiler) {}
  Result<std::shared_ptr<const SideModule>> get(std::span<const std::byte> bytes);

 private:
  static constexpr size_t KeptBytes = size_t{128} << 20;
  engine::Compiler* compiler_;
  std::mutex mutex_;
  using Entry = std::shared_ptr<const SideModule>;
  std::list<Entry> recent_;  // the last used first
  std::map<store::Digest, std::list<Entry>::iterator> by_digest_;
  size_t bytes_ = 0;
};

}  // namespace krait::pyhost
