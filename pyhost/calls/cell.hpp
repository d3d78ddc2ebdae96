// Private to calls/: a sandbox as the service keeps it: its instance, how its guest waits and chains, and who watches its time.
#pragma once

#include <functional>
#include <memory>

#include "pyhost/calls/call.hpp"
#include "pyhost/calls/functions.hpp"
#include "pyhost/io_waiter.hpp"
#include "pyhost/python.hpp"

namespace krait::pyhost::calls {

class Lane;

/// A call's time and its cancel: decides at each look whether the guest is to be interrupted, and how. In the call's coroutine, whose
/// deadline it sets.
class Watch {
 public:
  /// The clock starts. `call` must outlive it.
  Watch(const std::shared_ptr<Call>& call, engine::Store& store);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Guest code begins to run on the thread, and stops.
  void on_cpu();
  void off_cpu();
  /// Asks for an interrupt where one is due.
  void look();
  /// What the store's on_interrupt does: a trap, an alarm by `alarm`, or nothing.
  using Alarm = std::function<engine::Outcome<>(PythonInstance::Alarm kind, uint64_t limit_ms)>;
  engine::Outcome<> act(const Alarm& alarm);
  [[nodiscard]] bool alarmed() const { return alarmed_; }
  [[nodiscard]] uint64_t cpu_ns() const { return cpu_ns_; }
  [[nodiscard]] Call& call() const { return *call_; }
  [[nodiscard]] engine::Store& store() const { return store_; }

 private:
  [[nodiscard]] bool over(uint64_t limit_ms, uint64_t used_ns) const;
  [[nodiscard]] uint64_t wall_ns() const;
  /// Bounds the coroutine's waits by the end of the wall time, or of the grace after it.
  void bound_waits() const;

  std::shared_ptr<Call> call_;
  engine::Store& store_;
  const uint64_t began_ns_;
  uint64_t cpu_ns_ = 0, on_cpu_since_ = 0;
  bool alarmed_ = false;
};

/// How a guest on a coroutine waits, and chains calls.
class Guest final : public IoWaiter, public Chaining {
 public:
  explicit Guest(Lane& lane) : lane_(lane) {}
  /// For the time of a call; null between calls.
  void attach(Watch* watch);

  void yield() override;
  Result<int32_t, Refused> chain(std::string_view target, std::string_view entry, std::span<const std::byte> input) override;
  Chaining::Ended wait(std::span<const int32_t> ids, std::optional<uint64_t> timeout_ns) override;
  std::shared_ptr<const CallReport> report(int32_t id) override;
  bool cancel(int32_t id) override;

 private:
  void on_park() override;
  void on_resume() override;
  void on_cancel(engine::Store& store) override;
  /// A call of the same chain, or null.
  std::shared_ptr<Call> find(int32_t id);
  [[nodiscard]] uint64_t memory_bytes() const;

  Lane& lane_;
  Watch* watch_ = nullptr;
  bool yielding_ = false;
  uint64_t memory_at_start_ = 0;
};

/// Belongs to one lane.
class Cell {
 public:
  static Result<std::unique_ptr<Cell>> create(Lane& lane, std::shared_ptr<const PythonSnapshot> snapshot, const CallLimits& limits);
  ~Cell();
  enum class What : uint8_t { Load, Invoke, Both };
  /// Runs the call, or only its function's module, and fills in its report, the times before apart. In a coroutine of the lane.
  void run(const std::shared_ptr<Call>& call, What what, CallReport& report);
  Result<void> reset();

  /// Whether it is what a call of such a function under such limits starts in.
  [[nodiscard]] bool serves(const std::shared_ptr<const FunctionStart>& function, const CallLimits& of_call) const {
    return start == function && limits == of_call;
  }
  [[nodiscard]] PythonInstance& instance() { return *instance_; }
  std::shared_ptr<const FunctionStart> start;  ///< what it was made from
  CallLimits limits;                           ///< what it was made with
  uint64_t reset_ns = 0;                       ///< how long the last reset took

 private:
  explicit Cell(Lane& lane) : lane_(lane), guest_(lane) {}
  Lane& lane_;
  Guest guest_;
  std::unique_ptr<PythonInstance> instance_;
};

/// A wasm function: a WASI command that reads its input from stdin, and whose output is what it writes to stdout; or Faasm's way, by
/// the host calls of examples/wasm/faasm.h.
void run_wasm(Lane& lane, const std::shared_ptr<Call>& call, const std::shared_ptr<const engine::Module>& module,
              engine::Compiler* compiler, CallReport& report);

}  // namespace krait::pyhost::calls
