// CPython in a sandbox: the runtime is loaded once (PythonRuntime), a sandbox of it (PythonInstance) checks sources, runs scripts
// and calls functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pyhost/call_sandbox.hpp"
#include "pyhost/command.hpp"
#include "pyhost/image_cache.hpp"

namespace krait::pyhost {

class LocalState;
struct LinkedState;

/// Where the parts of the runtime lie on this machine, and what runs them.
struct PythonConfig {
  std::string reactor;                    ///< CPython as a wasm reactor
  std::string stdlib;                     ///< the read-only image of the standard library: a zip; beside it the folder of its
                                          ///< shared libraries, lib-dynload, where there is one
  engine::Compiler* compiler = nullptr;   ///< null: all is interpreted. Not owned
  std::shared_ptr<ImageCache> cache;      ///< of facts and snapshots; null: nothing is kept
};

/// The compiled runtime and its library image. Immutable, shared by all instances; any thread.
class PythonRuntime {
 public:
  /// Differs between runtimes of which the one's snapshots are none of the other's.
  [[nodiscard]] const std::string& identity() const;
  [[nodiscard]] const std::shared_ptr<ImageCache>& cache() const;
  static Result<std::shared_ptr<const PythonRuntime>> load(const PythonConfig& config);
  ~PythonRuntime();
  struct Parts;
  [[nodiscard]] const Parts& parts() const { return *parts_; }
  [[nodiscard]] engine::Compiler* compiler() const;

 private:
  explicit PythonRuntime(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

struct PythonLimits {
  uint64_t memory_bytes = uint64_t{1} << 30;   ///< linear memory: MemoryError beyond it
  uint64_t output_bytes = uint64_t{64} << 20;  ///< a call's output
  uint64_t tmp_bytes = uint64_t{256} << 20;    ///< the sandbox's private files (/tmp and all else not mounted)
  uint32_t open_files = 1024;
  uint32_t sockets = 64;                       ///< of this machine, at once; 0: none, whatever `network` allows
};

struct PythonOptions {
  std::vector<std::pair<std::string, std::string>> env;  ///< the guest's whole environment
  std::vector<HostMount> mounts;
  Stdio stdio = Stdio::inherit();
  PythonLimits limits;
  std::shared_ptr<LocalState> state;        ///< of the calls' users; null: the sandbox has one of its own, in memory
  std::shared_ptr<const NetPolicy> network; ///< null: no sockets but pairs
  Waiter* waiter = nullptr;                 ///< null: waits block the thread
  const std::byte* native_stack_limit = nullptr;  ///< as engine::StoreOptions
};

/// A syntax error, as Python words it.
struct Diagnostic {
  std::string text;  ///< file, line, the line's text, a caret, the message: ready to print, ends in a newline
};

struct CallTimings {
  uint64_t start_ns = 0;  ///< from a fresh sandbox to Python's being ready; 0 when it was ready
  uint64_t run_ns = 0;    ///< the call itself
};

struct CallResult {
  int32_t status = 0;              ///< 0 success; the function's own int; SystemExit's; 1 exception; Ended::TrapStatus
  std::vector<std::byte> output;   ///< what the function set as its output
  bool exception = false;          ///< ended by an exception: its traceback went to stderr
  std::optional<PythonFailure> failure;  ///< that exception
  std::optional<engine::Trap> trap;
  CallTimings timings;
};

struct CallRequest {
  std::string user = "local";
  std::string function;            ///< its name; the module is shown as FUNCTION.py in tracebacks
  std::string source;              ///< the text of its file
  std::string entry = "faasm_main";
  std::span<const std::byte> input;
};

/// A sandbox's state between two calls: Python started and, where one was loaded, a function's module-level code run.
/// Memory and shared libraries, not files: what the code wrote there, and descriptors it left open, are not part of it. Immutable; any
/// thread. For the runtime that it was taken in only.
class PythonSnapshot {
 public:
  /// Bytes for a file, and back; see engine::Snapshot. Keyed by whoever keeps them: runtime, engine version, source.
  [[nodiscard]] std::vector<std::byte> encode() const;
  static Result<std::shared_ptr<const PythonSnapshot>> decode(const PythonRuntime& runtime, std::span<const std::byte> bytes);
  /// The same for a file that is mapped.
  [[nodiscard]] std::vector<std::byte> encode_plain() const;
  /// `size`: of the snapshot, from the file's begin on; without it all of the file.
  static Result<std::shared_ptr<const PythonSnapshot>> map(const PythonRuntime& runtime, int fd, std::optional<uint64_t> size = {});

 private:
  friend class PythonInstance;
  PythonSnapshot(std::shared_ptr<const engine::Snapshot> state, std::shared_ptr<const LinkedState> linked)
      : state_(std::move(state)), linked_(std::move(linked)) {}
  static Result<std::shared_ptr<const PythonSnapshot>> with_linked(const PythonRuntime& runtime, std::shared_ptr<const engine::Snapshot> state,
                                                                   std::span<const std::byte> linked);
  std::shared_ptr<const engine::Snapshot> state_;
  std::shared_ptr<const LinkedState> linked_;
};

/// What the runtime's cache has under `key`, mapped; null where that is nothing.
std::shared_ptr<const PythonSnapshot> cached_snapshot(const PythonRuntime& runtime, const store::Digest& key);
/// Keeps `snapshot` in the runtime's cache under `key`. Returns it mapped from there, so that the system can take its pages back and read
/// them again, or `snapshot` itself, in memory, where there is no cache or it does not keep it.
std::shared_ptr<const PythonSnapshot> keep_snapshot(const PythonRuntime& runtime, const store::Digest& key,
                                                    std::shared_ptr<const PythonSnapshot> snapshot);
/// Python started, and what failing calls need imported: from the cache, or made and kept there. `native_stack_limit` as in
/// PythonOptions.
Result<std::shared_ptr<const PythonSnapshot>> base_snapshot(const std::shared_ptr<const PythonRuntime>& runtime,
                                                            const std::byte* native_stack_limit = nullptr);

/// One sandbox: linear memory, files, descriptors, environment. One thread at a time. After a trap or an exit in a
/// call it is spent: reset() it, or make another.
class PythonInstance {
 public:
  /// Instantiates and starts Python, or takes up from `snapshot` where that is not null. An error carries what
  /// Python or the engine said.
  static Result<std::unique_ptr<PythonInstance>> create(std::shared_ptr<const PythonRuntime> runtime, PythonOptions options,
                                                        std::shared_ptr<const PythonSnapshot> snapshot = nullptr);
  ~PythonInstance();

  /// Nothing when `source` compiles. `filename` is for the text of the diagnostic.
  Result<std::optional<Diagnostic>> check(std::string_view source, const std::string& filename);

  /// Runs the script at `path` (a path in the sandbox) as `python3 path args...` does. With `entry`, imports the file and
  /// calls that function instead. An output that it sets goes to stdout at the end. The status is Python's.
  Result<Ended> run_file(const std::string& path, const std::vector<std::string>& args, const std::string& entry = {});

  /// Calls a function with an input: load() and then invoke(), unless loading failed.
  Result<CallResult> call(const CallRequest& request);
  /// Runs the source's module-level code. The result's status is 0 when it is ready to be invoked.
  Result<CallResult> load(const CallRequest& request);
  /// Calls `entry` of what was loaded.
  Result<CallResult> invoke(const CallRequest& request);

  /// Has Python import what failing calls need, so that a snapshot to come has it.
  Result<void> warm();
  /// The state as it stands, for sandboxes to start from. This one must be usable, and stays so.
  Result<std::shared_ptr<const PythonSnapshot>> snapshot();
  /// Puts a sandbox that was made from a snapshot back to it, whatever the calls since did, traps and exits included:
  /// memory, files, descriptors, environment; random state is fresh. On an error it is spent for good.
  Result<void> reset();

  enum class Alarm : int32_t { WallTime = 0, CpuTime = 1 };
  /// Raises TimeoutError in the running call, at Python's next look at its signals; `limit_ms` is for its text. To be called by
  /// on_interrupt() of the store.
  engine::Outcome<> alarm(Alarm kind, uint64_t limit_ms);
  /// Whether a snapshot() now would be all of it: false where the code run so far has read its input, set an output, asked
  /// anything else of the service or of the network, written files or left descriptors open.
  [[nodiscard]] bool snapshot_is_whole() const;
  /// Bytes of linear memory now; it only grows until a reset.
  [[nodiscard]] uint64_t memory_bytes() const;
  /// Bytes of memory that it does not share with the others of its snapshot, at its last reset.
  [[nodiscard]] uint64_t own_bytes() const;
  /// What its host functions act on.
  [[nodiscard]] CallSandbox& sandbox();

  /// False after a trap or an exit.
  [[nodiscard]] bool usable() const;
  /// Where its prints go from now on.
  void set_stdio(const Stdio& stdio);
  /// For deadlines and slices: Store::interrupt, on_yield, on_interrupt.
  [[nodiscard]] engine::Store& store();

 private:
  struct State;
  explicit PythonInstance(std::unique_ptr<State> state);
  CallResult finish(engine::Outcome<int32_t> status, uint64_t begin_ns);
  std::unique_ptr<State> state_;
};

/// `krait run FILE.py`: a new sandbox in which the script's folder is mounted read-only, under its own absolute path where that
/// is free and else under /script, unless a mount covers it already. "-" reads the script from stdin.
Result<Ended> run_script(std::shared_ptr<const PythonRuntime> runtime, const std::string& host_path,
                         const std::vector<std::string>& args, const std::string& entry, PythonOptions options);

/// The environment that Python gets when the caller names nothing: PYTHONHOME and the like are the runtime's own affair.
std::vector<std::pair<std::string, std::string>> default_python_env();

}  // namespace krait::pyhost
