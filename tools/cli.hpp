// What the verbs of the `krait` command share: how they register, how they fail, and where they find the runtime and
// the store.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/compiler.hpp"
#include "jit/code_cache.hpp"
#include "pyhost/calls/service.hpp"
#include "pyhost/python.hpp"
#include "pyhost/state/local_state.hpp"
#include "store/function_store.hpp"

namespace krait::tools {

constexpr int Success = 0, Failed = 1, UsageError = 2;

/// Each adds its verb to `app`; when the verb is run, its exit status goes to `status`.
void add_upload(CLI::App& app, int& status);
void add_invoke(CLI::App& app, int& status);
void add_run(CLI::App& app, int& status);
void add_codegen(CLI::App& app, int& status);
void add_disasm(CLI::App& app, int& status);
void add_paths(CLI::App& app, int& status);
void add_list(CLI::App& app, int& status);
void add_serve(CLI::App& app, int& status);
void add_remove(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);

/// Prints "krait: MESSAGE" to stderr and returns `status`, for `return fail(...)`.
int fail(const std::string& message, int status = Failed);

/// Ends the process when nothing is left to be saved: the system takes back what it holds in less time than destructors and joins.
[[noreturn]] void leave(int status);

/// The whole file; an error in one line for what is missing, unreadable or a folder. "-" is standard input.
Result<store::Bytes> read_input(const std::string& path);
/// All of `bytes` to descriptor 1.
Result<void> write_output(std::span<const std::byte> bytes);
bool is_wasm(std::span<const std::byte> contents);

/// A status as a process can leave it: the low 8 bits, but never 0 for a status that was not 0.
int exit_status(int status);
/// The status of a guest that ended; a trap and its backtrace go to stderr.
int report(const pyhost::Ended& ended);

/// Where the parts of the Python runtime lie: $KRAIT_RUNTIME, else the runtime that pyhost/guest/build made last.
struct RuntimePaths {
  std::filesystem::path python_wasm;  ///< CPython as a plain WASI command
  std::filesystem::path reactor;      ///< CPython as krait runs it
  std::filesystem::path stdlib;       ///< the folder that holds python3.13/
  std::filesystem::path image;        ///< the standard library as one read-only file
  std::filesystem::path cc;           ///< a compiler for C extensions
};
/// $XDG_CACHE_HOME/krait, else ~/.cache/krait.
Result<std::filesystem::path> cache_folder();
/// Where machine code is kept: `code` in cache_folder().
Result<std::filesystem::path> code_folder();
/// An error, saying what to run, where the runtime is not built.
Result<RuntimePaths> find_runtime();

/// The option --engine of the verbs that run wasm.
class EngineOption {
 public:
  void add_to(CLI::App& verb);
  /// By default the JIT, with the code cache; modules whose code it lacks start in the interpreter while codegen goes on behind
  /// (PYTHON_CODEGEN=on: they wait for it).
  /// Null for the interpreter; an error where the engine is not built in. Owned by this.
  [[nodiscard]] Result<engine::Compiler*> compiler() const;

 private:
  std::string name_;
  mutable std::unique_ptr<jit::CodeCache> cache_;  // outlives made_
  mutable std::unique_ptr<engine::Compiler> made_;
};
/// The engines of this build, the default first: "interp".
std::vector<std::string> engine_names();

/// Loads the Python runtime. `compiler` is null for the interpreter.
Result<std::shared_ptr<const pyhost::PythonRuntime>> load_python(engine::Compiler* compiler);

/// A call service of one shard, on this user's store, for the life of a command.
struct OneService {
  std::unique_ptr<io::Runtime> runtime;
  std::unique_ptr<pyhost::Service> service;
  /// Calls have no wall time unless they are given one. `state` is what they share: null where an upload runs a module's
  /// own code, which is to leave nothing behind.
  static Result<OneService> start(engine::Compiler* compiler, std::shared_ptr<pyhost::LocalState> state);
};
/// The values of --limit; the error names what is wrong.
Result<pyhost::LimitChanges> parse_limits(const std::vector<std::string>& words);
/// The options --allow-net and --allow-listen of the verbs that run Python.
class NetOption {
 public:
  void add_to(CLI::App& verb);
  /// Null where neither was given; an error names what is wrong.
  [[nodiscard]] Result<std::shared_ptr<const pyhost::NetPolicy>> policy() const;

 private:
  std::vector<std::string> connect_, listen_;
};

/// The limits there are, a line each.
std::string limits_help();

/// The state in this user's store ($KRAIT_HOME). A command that makes one call, which may need none, opens it at its first use.
enum class OpenState : uint8_t { Now, AtFirstUse };
Result<std::shared_ptr<pyhost::LocalState>> open_state(OpenState when);
/// The functions of this user's store ($KRAIT_HOME).
Result<store::FunctionStore> open_functions();

}  // namespace krait::tools
