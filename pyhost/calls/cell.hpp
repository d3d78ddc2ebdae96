// Private to calls/: a sandbox as the service keeps it: its instance, where its prints go, how it waits.
#pragma once

#include <memory>

#include "pyhost/calls/call.hpp"
#include "pyhost/calls/functions.hpp"
#include "pyhost/python.hpp"

namespace krait::pyhost::calls {

class Lane;

/// How a guest on a coroutine waits. It has no descriptors of this machine: only time.
class CoroutineWaiter final : public Waiter {
 public:
  explicit CoroutineWaiter(Lane& lane) : lane_(lane) {}
  bool sleep_until(Deadline deadline) override;
  bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override;
  bool before_transfer(int, short) override { return true; }
  void yield() override;

 private:
  Lane& lane_;
};

/// Belongs to one lane.
class Cell {
 public:
  static Result<std::unique_ptr<Cell>> create(Lane& lane, std::shared_ptr<const PythonRuntime> python,
                                              std::shared_ptr<const PythonSnapshot> snapshot, const CallLimits& limits);
  ~Cell();
  /// Runs the call and fills in its report, the times before apart. In the lane's coroutine.
  void run(Call& call, bool loaded, CallReport& report);
  Result<void> reset();

  [[nodiscard]] PythonInstance& instance() { return *instance_; }
  std::shared_ptr<const FunctionStart> start;  ///< what it was made from
  CallLimits limits;                           ///< what it was made with
  uint64_t reset_ns = 0;                       ///< how long the last reset took

 private:
  explicit Cell(Lane& lane) : lane_(lane), waiter_(lane) {}
  void watch_over(Call& call);
  Lane& lane_;
  CoroutineWaiter waiter_;
  std::unique_ptr<PythonInstance> instance_;
};

/// A wasm function: a WASI command that reads its input from stdin, and whose output is what it writes to stdout.
void run_wasm(Lane& lane, Call& call, const std::shared_ptr<const engine::Module>& module, engine::Compiler* compiler,
              CallReport& report);

PythonLimits python_limits(const CallLimits& limits);

}  // namespace krait::pyhost::calls
