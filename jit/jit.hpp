// The JIT as the engine's compiler, and as a tool for people.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/compiler.hpp"
#include "jit/code_cache.hpp"

namespace krait::jit {

/// When a compiler makes code.
enum class Codegen : uint8_t {
  Ahead,    ///< all of it, before image_for() returns
  Behind,   ///< image_for() returns at once; threads at low priority compile, what runs often first
  InPlace,  ///< what runs often, on the thread that runs it; for tests
};

struct Options {
  Codegen codegen = Codegen::Ahead;
  uint32_t hot = 200;                  ///< Behind, InPlace: calls and turns of loops until a function is to be compiled
  uint32_t threads = 0;                ///< for codegen, of one module (Ahead) or of all (Behind); 0: one a core
  std::vector<std::string> disable;    ///< names of passes not to run; see pass_names(). "polls": code that nothing interrupts, to measure them
  uint32_t registers = 0;              ///< registers of each kind that may be used; 0: all
  uint64_t seed = 0;                   ///< if not 0, the allocator makes random choices
  bool baseline = false;               ///< code for any x86-64-v2, whatever this CPU has beyond
  bool perf_map = false;               ///< write /tmp/perf-PID.map
  bool gdb = false;                    ///< tell gdb, through its JIT interface
  bool verify = false;                 ///< check the IR after each pass; broken IR aborts
  /// Leaves functions to the interpreter where this says so; for tests of mixed calls.
  bool (*decline)(uint32_t defined_func) = nullptr;
  /// Code of earlier processes; not owned, may be null. Left alone where options for tests are set.
  CodeCache* cache = nullptr;
  /// Not null: codegen is given up between two passes when it becomes true.
  const std::atomic<bool>* cancel = nullptr;
  /// Called by one thread from time to time, with the numbers of functions done and of all.
  std::function<void(size_t done, size_t all)> progress;
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

/// A compiler. Thread-safe. Null where !supported().
std::unique_ptr<engine::Compiler> make_compiler(Options options = {});

/// Compiles all of a module and says what came of it.
CodegenReport report(std::shared_ptr<const engine::Module> module, const Options& options);

/// Sees to it that the cache has the module's code. `functions` is 0 where it was there; declined functions are not named.
CodegenReport codegen(std::shared_ptr<const engine::Module> module, const Options& options);

/// The passes that can be switched off, in their order.
std::vector<std::string> pass_names();

/// A function at one point of its way through the JIT.
struct Stage {
  std::string name;   ///< "built", the name of the pass that just ran, "x86-64", or "declined" (the text says why)
  std::string text;   ///< a line an instruction; x86-64: behind the wasm byte offset, where that changes (OffsetColumns)
};
constexpr size_t OffsetColumns = 10;
/// A defined function's IR after each pass, then its machine code.
std::vector<Stage> stages_of(const engine::Module& module, uint32_t defined_func, const Options& options);

}  // namespace krait::jit
