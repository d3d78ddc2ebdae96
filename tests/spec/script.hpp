// Runs one script of the spec's test suite: a file of wast2json's commands, on one store.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/compiler.hpp"

namespace krait::spec {

/// Counts assertions (assert_*). Other commands count only when they fail.
struct Report {
  uint64_t passed = 0;
  std::map<std::string, uint64_t> skipped;  ///< by reason
  std::vector<std::string> failures;        ///< "file:line: command: expected ..., got ..."

  [[nodiscard]] uint64_t skips() const;
  void add(const Report& other);
};

/// `suite` is the folder's name in the archive, `line` follows the line of the command that runs, so that one who
/// watches knows where a run ended that did not return. `compiler` may be null.
Report run_script(const std::filesystem::path& json, const std::string& suite, engine::Compiler* compiler,
                  std::atomic<uint32_t>& line);

}  // namespace krait::spec
