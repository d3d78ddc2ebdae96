// Calls of stored functions as a service: each in a sandbox of its own, on the coroutines of an io::Runtime.
//
//   auto service = Service::start(io, store::FunctionStore(home), python, {});
//   auto id = (*service)->submit({.user = "demo", .function = "hello"});    // from a coroutine or a thread
//   auto report = (*service)->wait(*id);                                    // parks the coroutine, or blocks the thread
//
// A call goes through Queued, Running (its waits included) and Ended. Its report is there for `result_ttl` after its end; each
// wait() gives a copy of it. Where more would run than may, calls queue; where the queue is full, submit() says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/runtime.hpp"
#include "pyhost/calls/limits.hpp"
#include "pyhost/python.hpp"
#include "store/function_store.hpp"

namespace krait::pyhost {

/// 1 to INT32_MAX; wraps around, skipping those in use.
using CallId = int32_t;

/// Why something asked of the service was not done. Nothing happened then.
struct Refusal {
  enum class Kind : uint8_t {
    Invalid,   ///< a bad name, limit, source: the caller's fault (HTTP 400)
    Unknown,   ///< no such function or call (404)
    Full,      ///< too many calls; later it may go (503)
    Ending,    ///< the service is being shut down (503)
    TimedOut,  ///< a wait's deadline came first; the call goes on (504)
    Cancelled, ///< the waiting coroutine was cancelled; the call goes on
    Broken,    ///< the store or the runtime failed (500)
  } kind = Kind::Broken;
  std::string message;  ///< one sentence; for a syntax error, Python's text of some lines
};
template <typename T = void>
using Answer = Result<T, Refusal>;

struct CallSpec {
  std::string user, function;
  std::string entry = "faasm_main";
  std::vector<std::byte> input;
  LimitChanges limits;  ///< tighter ones than the function's; wider ones are ignored
  std::shared_ptr<File> out, err;  ///< where its prints go as they come; null: into the report
};

/// Nanoseconds.
struct CallTimes {
  uint64_t queued = 0;  ///< from submit() to having a slot
  uint64_t start = 0;   ///< to a sandbox that is ready: next to nothing where one was
  uint64_t run = 0;     ///< the call itself
  uint64_t reset = 0;   ///< putting its sandbox back
  uint64_t cpu = 0;     ///< of `run`, on the processor
};

enum class CallEnd : uint8_t {
  Returned,   ///< by itself: with its status, which may be a failure
  Raised,     ///< by an exception: `failure` has it
  Trapped,    ///< the engine ended it
  TimedOut,   ///< its wall or CPU time was over, with TimeoutError or after it with a trap
  Cancelled,
  Failed,     ///< it could not be started: `error` says why
};
/// "returned", "raised", ...
const char* name_of(CallEnd end);

struct CallReport {
  CallId id = 0;
  CallEnd end = CallEnd::Returned;
  int32_t status = 0;              ///< as CallResult: 0 is success; 1 after an exception; Ended::TrapStatus
  std::vector<std::byte> output;
  std::string out, err;            ///< stdout and stderr, each up to CallLimits::stdio_bytes; the traceback is in `err` too
  uint64_t dropped_out = 0, dropped_err = 0;  ///< bytes beyond
  std::optional<PythonFailure> failure;
  std::string error;               ///< the trap with its backtrace, or why it could not be started; else empty
  CallTimes times;
  uint64_t peak_memory = 0;        ///< bytes of linear memory at its largest
  uint32_t shard = 0;              ///< where it ran

  [[nodiscard]] bool ok() const { return status == 0; }
};

enum class CallState : uint8_t { Queued, Running, Ended };

struct ServiceOptions {
  CallLimits limits;                  ///< of functions that have none of their own
  uint32_t max_running = 64;          ///< calls a shard that run at once; those that wait for other calls do not count
  uint32_t max_queued = 10'000;       ///< submitted calls that wait for a slot, over all shards; chained calls do not count
  uint32_t max_sandboxes = 12'000;    ///< a shard; a call that waits keeps its sandbox
  uint64_t idle_bytes = uint64_t{256} << 20;  ///< a shard: what sandboxes that are ready and unused may hold
  std::chrono::milliseconds result_ttl{300'000};  ///< how long a result waits for its reader
  uint64_t max_results = 10'000;      ///< of a user that wait for their readers: beyond it the oldest are dropped
  uint64_t max_result_bytes = uint64_t{256} << 20;  ///< the same by their outputs, prints and tracebacks
  std::shared_ptr<const NetPolicy> network;  ///< of all functions but those whose limit `sockets` is 0; null: no sockets but pairs
  std::shared_ptr<LocalState> state;  ///< of all users; null: each sandbox has one of its own, in memory, that calls do not share
};

struct ServiceStats {
  uint64_t queued = 0, running = 0, waiting = 0;  ///< now; `waiting` are parked in an await
  uint64_t sandboxes = 0, idle_sandboxes = 0;     ///< now
  uint64_t idle_bytes = 0;                        ///< now: memory that idle sandboxes hold
  uint64_t submitted = 0, ended = 0, refused = 0; ///< since the start
};

struct UploadSpec {
  std::string user, function;
  store::FunctionKind kind = store::FunctionKind::Python;
  std::vector<std::byte> contents;
  LimitChanges limits;  ///< the function's own; they may be wider than the service's
  std::string shown_as;  ///< the file's name in a syntax error; empty: FUNC.py
};

/// Thread-safe: everything may be called from any coroutine of the runtime's and from any thread that is no shard's; not
/// from a shard's loop outside of a coroutine.
class Service {
 public:
  /// `runtime` must outlive the service. The error says what is wrong with the Python runtime.
  static Result<std::unique_ptr<Service>> start(io::Runtime& runtime, store::FunctionStore functions,
                                                std::shared_ptr<const PythonRuntime> python, ServiceOptions options = {});
  /// shutdown(0). From a thread that is no shard's.
  ~Service();

  /// Accepts a call; it sees the function as it is stored now. Invalid, Unknown, Full, Ending, Broken.
  Answer<CallId> submit(CallSpec spec);
  /// Waits for the call's end. Unknown also where the result has been dropped; TimedOut; Cancelled.
  Answer<CallReport> wait(CallId id, io::Deadline deadline = {});
  /// submit() and wait(); the call is cancelled where the wait ends without a result.
  Answer<CallReport> call(CallSpec spec, io::Deadline deadline = {});
  /// Ends the call and those that it chained and that have not ended. Returns without waiting for it; a call that has
  /// ended stays as it is. False for an unknown id.
  bool cancel(CallId id);
  [[nodiscard]] std::optional<CallState> state(CallId id) const;
  /// Forgets a result early. False where the id is unknown or the call has not ended.
  bool drop(CallId id);

  /// Checks, stores and snapshots a function: the next submit() sees it. Invalid (with Python's own text) where its source does
  /// not compile or it is no wasm module; what was stored then stays. A function whose module-level code fails is
  /// stored all the same: its calls report that failure.
  Answer<store::FunctionInfo> upload(UploadSpec spec);
  /// False where there was none. Calls under way go on.
  Answer<bool> remove(const std::string& user, const std::string& function);
  /// Of one user, or of all where it is empty.
  Answer<store::Listing> list(const std::string& user = {}) const;
  Answer<std::optional<store::Function>> get(const std::string& user, const std::string& function) const;

  [[nodiscard]] ServiceStats stats() const;

  /// Refuses new submits, waits up to `drain` for calls under way, then cancels what is left and waits for its end. Waits
  /// of others get their results. May be called again; from any coroutine or thread.
  void shutdown(std::chrono::nanoseconds drain);

 private:
  struct Impl;
  explicit Service(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace krait::pyhost
