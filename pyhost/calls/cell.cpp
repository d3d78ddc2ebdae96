// The guest's code runs on the stack of its call's coroutine; each wait gives the slot back, and the thread to others.
#include "pyhost/calls/cell.hpp"

#include "io/coroutine.hpp"
#include "pyhost/calls/core.hpp"
#include "pyhost/calls/lane.hpp"

namespace krait::pyhost::calls {
namespace {

/// Room below a coroutine's guest code for the host functions that it calls.
constexpr size_t HostStack = size_t{256} << 10;

io::Deadline io_deadline(Deadline deadline) {
  timespec now{};
  clock_gettime(deadline.clock, &now);
  const uint64_t at = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  const uint64_t left = deadline.ns > at ? deadline.ns - at : 0;
  return io::Deadline::in(static_cast<int64_t>(std::min<uint64_t>(left, INT64_MAX)));
}

}  // namespace

bool CoroutineWaiter::sleep_until(Deadline deadline) {
  lane_.leave_slot();
  const int woken = io::sleep_until(io_deadline(deadline));
  lane_.take_slot();
  return woken == 0;
}

bool CoroutineWaiter::poll(std::span<pollfd> fds, std::optional<Deadline> deadline) {
  for (pollfd& fd : fds) fd.revents = POLLNVAL;
  if (!fds.empty()) return true;
  return sleep_until(deadline.value_or(Deadline{CLOCK_MONOTONIC, UINT64_MAX}));
}

void CoroutineWaiter::yield() { io::yield(); }

PythonLimits python_limits(const CallLimits& limits) {
  PythonLimits python;
  python.memory_bytes = limits.memory_bytes;
  python.output_bytes = limits.output_bytes;
  python.tmp_bytes = limits.tmp_bytes;
  python.open_files = static_cast<uint32_t>(std::min<uint64_t>(limits.open_files, UINT32_MAX));
  return python;
}

Result<std::unique_ptr<Cell>> Cell::create(Lane& lane, std::shared_ptr<const PythonRuntime> python,
                                           std::shared_ptr<const PythonSnapshot> snapshot, const CallLimits& limits) {
  std::unique_ptr<Cell> cell(new Cell(lane));
  PythonOptions options;
  options.env = default_python_env();
  options.stdio = {};
  options.limits = python_limits(limits);
  options.waiter = &cell->waiter_;
  options.native_stack_limit = io::current()->stack_limit() + HostStack;
  auto made = PythonInstance::create(std::move(python), std::move(options), std::move(snapshot));
  if (!made) return std::move(made.error());
  cell->instance_ = std::move(*made);
  cell->limits = limits;
  lane.core().sandboxes++;
  return cell;
}

Cell::~Cell() {
  if (instance_) lane_.core().sandboxes--;
}

void Cell::watch_over(Call& call) {
  engine::Store& store = instance_->store();
  store.on_yield = [this, &call] {
    lane_.set_on_cpu(nullptr);
    io::yield();
    lane_.set_on_cpu(&instance_->store());
    if (call.cancelled) instance_->store().interrupt(engine::InterruptCall);
  };
  store.on_interrupt = [&call]() -> engine::Outcome<> {
    if (call.cancelled) return engine::Trap::make(engine::TrapKind::Interrupted, "the call was cancelled");
    return {};
  };
}

void Cell::run(Call& call, bool loaded, CallReport& report) {
  instance_->store().set_native_stack_limit(io::current()->stack_limit() + HostStack);
  watch_over(call);
  const auto out = std::make_shared<BufferSink>(call.limits.stdio_bytes), err = std::make_shared<BufferSink>(call.limits.stdio_bytes);
  instance_->set_stdio({nullptr, out, err});
  const CallRequest request{call.spec.user, call.spec.function, call.function->source, call.spec.entry, call.spec.input};
  lane_.set_on_cpu(&instance_->store());
  auto result = loaded ? instance_->invoke(request) : instance_->call(request);
  lane_.set_on_cpu(nullptr);
  report.out = out->take(), report.err = err->take();
  report.dropped_out = out->dropped(), report.dropped_err = err->dropped();
  if (!result) {
    report.error = result.error().to_string();
    return;
  }
  report.end = CallEnd::Returned;
  report.status = result->status;
  report.output = std::move(result->output);
  report.times.run = result->timings.run_ns;
  if (result->trap) {
    report.end = call.cancelled ? CallEnd::Cancelled : CallEnd::Trapped;
    report.error = result->trap->to_string();
  } else if (result->exception) {
    report.end = CallEnd::Raised;
    report.failure = PythonFailure{{}, {}, report.err};
  }
}

void run_wasm(Lane& lane, Call& call, const std::shared_ptr<const engine::Module>& module, engine::Compiler* compiler,
              CallReport& report) {
  CoroutineWaiter waiter(lane);
  const auto out = std::make_shared<BufferSink>(call.limits.output_bytes), err = std::make_shared<BufferSink>(call.limits.stdio_bytes);
  CommandOptions command;
  command.args = {call.spec.function};
  command.stdio = {bytes_source(call.spec.input), out, err};
  command.store.compiler = compiler;
  command.store.max_memory_pages = call.limits.memory_bytes / engine::PageSize;
  command.store.native_stack_limit = io::current()->stack_limit() + HostStack;
  command.waiter = &waiter;
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

Result<void> Cell::reset() {
  const uint64_t begin = monotonic_ns();
  auto done = instance_->reset();
  reset_ns = monotonic_ns() - begin;
  return done;
}

}  // namespace krait::pyhost::calls
