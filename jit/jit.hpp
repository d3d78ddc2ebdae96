// The JIT as the engine's compiler, and as a tool for people.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/compiler.hpp"

namespace krait::jit {

struct Options {
  uint32_t threads = 0;                ///< for codegen; 0: one a core
  std::vector<std::string> disable;    ///< names of passes not to run; see pass_names()
  uint32_t registers = 0;              ///< registers of each kind that may be used; 0: all
  uint64_t seed = 0;                   ///< if not 0, the allocator makes random choices
  bool perf_map = false;               ///< write /tmp/perf-PID.map
  bool verify = false;                 ///< check the IR after each pass; broken IR aborts
  /// A code cache. `load` gives what `save` was given for that module, or nothing; what does not fit this compiler
  /// or CPU is compiled anew and saved. Both are called from image_for, one call at a time.
  std::function<std::vector<std::byte>(const engine::Module&)> load;
  std::function<void(const engine::Module&, std::span<const std::byte>)> save;
  /// Leaves functions to the interpreter where this says so; for tests of mixed calls.
  bool (*decline)(uint32_t defined_func) = nullptr;
};

/// What codegen of a module did.
struct CodegenReport {
  struct Declined {
    uint32_t func;         ///< function index
    std::string why;
  };
  std::vector<Declined> declined;
  size_t functions = 0;    ///< that were compiled
  size_t code_bytes = 0;
  double seconds = 0;
};

/// True where the JIT has code for this machine.
bool supported();

/// A compiler; an image is complete when image_for returns. Thread-safe. Null where !supported().
std::unique_ptr<engine::Compiler> make_compiler(Options options = {});

/// Compiles all of a module and says what came of it.
CodegenReport report(std::shared_ptr<const engine::Module> module, const Options& options);

/// The passes that can be switched off, in their order.
std::vector<std::string> pass_names();

/// A defined function's IR after each pass and its machine code, as text.
std::string disassemble(const engine::Module& module, uint32_t defined_func, const Options& options);

}  // namespace krait::jit
