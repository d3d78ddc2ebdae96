// Running any wasm module from its file: a WASI command by its `_start`, or one export with arguments as text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/module.hpp"
#include "engine/store.hpp"
#include "pyhost/wasi.hpp"

namespace krait::pyhost {

class LocalState;

/// A host folder that the guest sees under a path of its own.
struct HostMount {
  std::string host;        ///< path on this machine
  std::string guest;       ///< absolute path in the sandbox; empty: the same as `host`
  bool read_only = false;
};
/// Parses "HOST[::GUEST][:ro]", ":ro" being read-only; a relative HOST without GUEST is seen under "/" + HOST made canonical ("." is "/").
Result<HostMount> parse_mount(const std::string& words);

struct CommandOptions {
  std::vector<std::string> args;                             ///< args[0] is the program's name
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<HostMount> mounts;                             ///< each becomes a preopened directory
  Stdio stdio = Stdio::inherit();
  engine::StoreOptions store;                                ///< compiler, limits
  Waiter* waiter = nullptr;                                  ///< null: waits block the thread
  std::shared_ptr<LocalState> state;                         ///< null: the guest has one of its own, in memory
  std::string user = "local";                                ///< whose state it is
};

/// How a guest ended. A trap's status is TrapStatus, as a shell shows SIGABRT.
struct Ended {
  static constexpr int TrapStatus = 134;
  int status = 0;                     ///< what the process's exit status should be
  std::optional<engine::Trap> trap;   ///< set when it trapped (Exit apart): trap->to_string() has the backtrace
};

/// What a trap means for the process: an Exit's own status, else TrapStatus and the trap.
Ended ended_by(engine::Trap trap);

/// Reads and compiles a module (binary format). The error names the file.
Result<std::shared_ptr<const engine::Module>> load_module(const std::string& path);

/// Runs `_start` (or, where there is none, `_initialize` alone). An error: it could not be started (an import is
/// missing, a folder cannot be opened, ...).
Result<Ended> run_command(std::shared_ptr<const engine::Module> module, const CommandOptions& options);

struct Invoked {
  Ended ended;
  std::vector<std::string> results;  ///< one a result, as text: "42", "-1.5", "nan", "0x0123... (v128)", "null"
};
/// Calls an export. Arguments are decimal or 0x numbers, floats as strtod reads them, v128 as 0x and 32 digits,
/// references only as "null". `_initialize` runs first where it is exported.
Result<Invoked> invoke_export(std::shared_ptr<const engine::Module> module, const std::string& name,
                              const std::vector<std::string>& arguments, const CommandOptions& options);

}  // namespace krait::pyhost
