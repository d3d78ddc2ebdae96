// Where machine code of modules may be kept from one process to the next. jit/ says what it needs; others have the disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/module.hpp"

namespace krait::jit {

/// Names the code of one module by one compiler for one kind of CPU.
using CodeKey = std::array<uint8_t, 32>;

/// All of it from any thread. A cache that fails is as an empty one: who implements it tells people.
class CodeCache {
 public:
  virtual ~CodeCache() = default;
  /// A collision-free hash of the module's bytes and of `compiler`, a text of all that code depends on beside the module.
  [[nodiscard]] virtual CodeKey key_of(const engine::Module& module, std::string_view compiler) = 0;
  /// A descriptor of a regular file with what was kept, which nobody changes (it may lose its name); the caller closes it.
  /// -1 where there is none.
  [[nodiscard]] virtual int find(const CodeKey& key) = 0;
  virtual void keep(const CodeKey& key, std::span<const std::byte> bytes) = 0;
  /// What find() gave is not to be used, for this reason. It is to be removed; the next find() may give another copy of it. When
  /// that is rejected too, it is `for_good`: nothing is to be found any more.
  virtual void reject(const CodeKey& key, const std::string& why, bool for_good) = 0;
};

}  // namespace krait::jit
