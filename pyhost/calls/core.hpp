// Private to calls/: what all parts of a service share.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "pyhost/calls/call.hpp"
#include "pyhost/calls/functions.hpp"
#include "pyhost/calls/lane.hpp"

namespace krait::pyhost::calls {

/// Python in a sandbox that is there for a moment: not a call, and it does not wait.
Result<std::unique_ptr<PythonInstance>> bare_python(const std::shared_ptr<const PythonRuntime>& python,
                                                    std::shared_ptr<const PythonSnapshot> snapshot);

struct Core {
  Core(io::Runtime& io, store::FunctionStore store, std::shared_ptr<const PythonRuntime> python, ServiceOptions with)
      : runtime(io), options(std::move(with)), python(std::move(python)), functions(std::move(store), 4096), table({options.result_ttl, options.max_results, options.max_result_bytes}) {}

  /// A call that nobody has seen yet goes to the lane with the least to do.
  void place(const std::shared_ptr<Call>& call);
  /// Sets its end, tells those who wait, and starts the clock of its result.
  void finish(const std::shared_ptr<Call>& call, CallReport report);
  /// The call and those under it.
  void cancel(const std::shared_ptr<Call>& call);
  /// The calls of a chain that have ended, all of them: those that its first call has caused are nobody's to read any more.
  void forget_chained(const std::shared_ptr<Call>& first);
  /// The start of a function's calls, made at the first need: `call`'s function is loaded in its name, on its time. Null
  /// where that failed: `report` then says how. One without anything where each call boots its own Python.
  std::shared_ptr<const FunctionStart> start_of(Lane& lane, const std::shared_ptr<Call>& call, CallReport& report);

  /// Python started, nothing loaded: from the cache, or made at the first need. In a coroutine or a thread.
  Result<std::shared_ptr<const PythonSnapshot>> base();

  /// Makes a function's start now, and waits for it; a failure shows in its calls. From a coroutine or a thread.
  void prepare(const std::string& user, const std::string& function);

  io::Runtime& runtime;
  const ServiceOptions options;
  const std::shared_ptr<const PythonRuntime> python;
  FunctionTable functions;
  CallTable table;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::atomic<bool> ending{false};
  std::atomic<uint64_t> queued{0}, running{0}, waiting{0}, sandboxes{0}, idle{0}, idle_bytes{0}, submitted{0}, ended{0}, refused{0};

  std::mutex quiet_mutex;
  std::shared_ptr<io::FutureCore> quiet;  // set when no call is under way

 private:
  std::mutex base_mutex_;
  std::shared_ptr<const PythonSnapshot> base_;
  const std::shared_ptr<const FunctionStart> nothing_ = std::make_shared<FunctionStart>();
  std::shared_ptr<const FunctionStart> make_start(Lane& lane, const std::shared_ptr<Call>& call, CallReport& report);
};

}  // namespace krait::pyhost::calls
