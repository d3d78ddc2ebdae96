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
  python.sockets = static_cast<uint32_t>(std::min<uint64_t>(limits.sockets, UINT32_MAX));
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
  options.network = lane.core().options.network;
  options.state = lane.core().options.state;
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
  const auto given = [](const std::shared_ptr<File>& file, const std::shared_ptr<BufferSink>& sink) { return file ? file : sink; };
  instance_->set_stdio({nullptr, given(call->spec.out, out), given(call->spec.err, err)});
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

  report.dropped_out = out->dropped(), report.dropped_err = err->dropped();
  report.out = out->take(), report.err = err->take();
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

}  // namespace krait::pyhost::calls
