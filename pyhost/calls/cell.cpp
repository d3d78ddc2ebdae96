// A sandbox's life: made from a snapshot, run, put back. What a call said and took goes into its report.
#include "pyhost/calls/cell.hpp"

#include <algorithm>

#include "io/coroutine.hpp"
#include "pyhost/calls/core.hpp"
#include "pyhost/calls/lane.hpp"

namespace krait::pyhost::calls {
namespace {

PythonLimits python_limits(const CallLimits& limits) {
  PythonLimits python;
  python.memory_bytes = limits.memory_bytes;
  python.output_bytes = limits.output_bytes;
  python.tmp_bytes = limits.tmp_bytes;
  python.open_files = static_cast<uint32_t>(std::min<uint64_t>(limits.open_files, UINT32_MAX));
  return python;
}

/// How a call that trapped or raised after its alarm, or a cancel, has ended.
CallEnd end_of(const Watch& watch, CallEnd otherwise) {
  if (watch.call().cancelled) return CallEnd::Cancelled;
  return watch.alarmed() ? CallEnd::TimedOut : otherwise;
}

}  // namespace

Result<std::unique_ptr<Cell>> Cell::create(Lane& lane, std::shared_ptr<const PythonSnapshot> snapshot, const CallLimits& limits) {
  std::unique_ptr<Cell> cell(new Cell(lane));
  PythonOptions options;
  options.env = default_python_env();
  options.stdio = {};
  options.limits = python_limits(limits);
  options.waiter = &cell->guest_;
  auto made = PythonInstance::create(lane.core().python, std::move(options), std::move(snapshot));
  if (!made) return std::move(made.error());
  cell->instance_ = std::move(*made);
  cell->instance_->sandbox().chaining = &cell->guest_;
  cell->limits = limits;
  lane.core().sandboxes++;
  return cell;
}

Cell::~Cell() {
  if (instance_) lane_.core().sandboxes--;
}

void Cell::run(const std::shared_ptr<Call>& call, What what, CallReport& report) {
  engine::Store& store = instance_->store();
  const auto out = std::make_shared<BufferSink>(call->limits.stdio_bytes), err = std::make_shared<BufferSink>(call->limits.stdio_bytes);
  instance_->set_stdio({nullptr, out, err});
  const CallRequest request{call->spec.user, call->spec.function, call->function->source, call->spec.entry, call->spec.input};

  Watch watch(call, store);
  guest_.attach(&watch);
  store.on_interrupt = [&] {
    return watch.act([this](PythonInstance::Alarm kind, uint64_t ms) { return instance_->alarm(kind, ms); });
  };
  watch.on_cpu();
  auto result = what == What::Load ? instance_->load(request) : what == What::Invoke ? instance_->invoke(request) : instance_->call(request);
  watch.off_cpu();
  guest_.attach(nullptr);

  report.out = out->take(), report.err = err->take();
  report.dropped_out = out->dropped(), report.dropped_err = err->dropped();
  report.times.cpu = watch.cpu_ns();
  report.peak_memory = instance_->memory_bytes();
  if (!result) {
    report.error = result.error().to_string();
    return;
  }
  report.end = CallEnd::Returned;
  report.status = result->status;
  report.output = std::move(result->output);
  report.times.run = result->timings.run_ns;
  if (result->trap) {
    report.end = end_of(watch, CallEnd::Trapped);
    report.error = result->trap->to_string();
  } else if (result->exception) {
    report.failure = std::move(result->failure);
    const bool timed_out = watch.alarmed() && report.failure && report.failure->type == "TimeoutError";
    report.end = timed_out ? CallEnd::TimedOut : CallEnd::Raised;
  }
}

Result<void> Cell::reset() {
  const uint64_t begin = monotonic_ns();
  auto done = instance_->reset();
  reset_ns = monotonic_ns() - begin;
  return done;
}

void run_wasm(Lane& lane, const std::shared_ptr<Call>& call, const std::shared_ptr<const engine::Module>& module,
              engine::Compiler* compiler, CallReport& report) {
  Guest guest(lane);
  const auto out = std::make_shared<BufferSink>(call->limits.output_bytes), err = std::make_shared<BufferSink>(call->limits.stdio_bytes);
  CommandOptions command;
  command.args = {call->spec.function};
  command.stdio = {bytes_source(call->spec.input), out, err};
  command.store.compiler = compiler;
  command.store.max_memory_pages = call->limits.memory_bytes / engine::PageSize;
  command.waiter = &guest;
  const uint64_t begin = monotonic_ns();
  auto ended = run_command(module, command);
  report.times.run = monotonic_ns() - begin;
  const std::string output = out->take();
  const auto bytes = std::as_bytes(std::span(output));
  report.output.assign(bytes.begin(), bytes.end());
  report.err = err->take(), report.dropped_err = err->dropped();
  if (!ended) {
    report.error = ended.error().to_string();
    return;
  }
  report.end = ended->trap ? CallEnd::Trapped : CallEnd::Returned;
  report.status = ended->status;
  if (ended->trap) report.error = ended->trap->to_string();
}

}  // namespace krait::pyhost::calls
