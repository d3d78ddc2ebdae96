// A guest's waits and chained calls. Each wait gives the slot back, and the thread to others; it ends at the coroutine's own
// deadline too (Watch), and the guest then sees an interrupted wait, and its alarm at the next poll.
#include <algorithm>

#include "io/coroutine.hpp"
#include "pyhost/calls/cell.hpp"
#include "pyhost/calls/core.hpp"
#include "pyhost/calls/lane.hpp"

namespace krait::pyhost::calls {
namespace {

uint64_t memory_of(engine::Store& store) {
  uint64_t bytes = 0;
  for (const auto& instance : store.instances())
    if (const engine::Memory* memory = instance->export_memory("memory")) bytes += memory->size();
  return bytes;
}

}  // namespace

void Guest::attach(Watch* watch) {
  watch_ = watch;
  memory_at_start_ = watch ? memory_of(watch->store()) : 0;
}

uint64_t Guest::memory_bytes() const { return memory_of(watch_->store()); }

void Guest::yield() {
  yielding_ = true;  // it wants to go on: it keeps its slot
  IoWaiter::yield();
  yielding_ = false;
}

void Guest::on_park() {
  if (!watch_) return;
  watch_->off_cpu();
  if (!yielding_) lane_.leave_slot();
}

void Guest::on_resume() {
  if (!watch_) return;
  if (!yielding_) lane_.take_slot();
  watch_->on_cpu();
  watch_->look();
}

void Guest::on_cancel(engine::Store& store) { store.interrupt(engine::InterruptCall); }

Result<int32_t, Chaining::Refused> Guest::chain(std::string_view target, std::string_view entry, std::span<const std::byte> input) {
  if (!watch_ || !watch_->call().chain) return Refused{Errno::NotSup, "nothing can be chained while a function is uploaded"};
  Core& core = lane_.core();
  Call& caller = watch_->call();
  if (caller.cancelled) return Refused{Errno::Again, "the call was cancelled"};
  auto call = std::make_shared<Call>();
  call->spec.user = caller.spec.user;
  call->spec.function = caller.spec.function;
  call->function = caller.function;
  if (!target.empty()) {
    const size_t slash = target.find('/');
    if (slash != std::string_view::npos && target.substr(0, slash) != caller.spec.user)
      return Refused{Errno::Access, std::string(target) + " is another user's function"};
    call->spec.function = target.substr(slash == std::string_view::npos ? 0 : slash + 1);
    auto found = core.functions.find(call->spec.user, call->spec.function);
    if (!found) return Refused{found.error().kind == Refusal::Kind::Unknown ? Errno::NoEnt : Errno::Inval, found.error().message};
    call->function = std::move(*found);
  }
  call->chain = caller.chain;
  call->depth = caller.depth + 1;
  if (call->depth > call->chain->max_depth)
    return Refused{Errno::Again, "the call is " + std::to_string(caller.depth) + " calls deep in its chain, the limit"};
  if (call->chain->calls++ >= call->chain->max_calls)
    return Refused{Errno::Again, "the chain has made " + std::to_string(call->chain->max_calls) + " calls, the limit"};
  if (!entry.empty()) call->spec.entry = entry;
  if (!call->chain->hold(input.size()))
    return Refused{Errno::Again, "the chain holds its " + std::to_string(call->chain->max_bytes) + " bytes of inputs and results, the limit"};
  call->held = input.size();
  call->spec.input.assign(input.begin(), input.end());
  call->limits = call->function->limits.over(core.options.limits);
  call->submitted_ns = monotonic_ns();
  core.submitted++;
  call->chain->live++;
  {
    const std::lock_guard lock(caller.mutex);
    caller.children.push_back(call);
  }
  if (caller.cancelled) call->cancelled = true;  // a cancel that came before the line above did not see it
  core.place(call);
  return call->id;
}

std::shared_ptr<Call> Guest::find(int32_t id) {
  if (!watch_) return nullptr;
  auto call = lane_.core().table.find(id);
  return call && call->chain == watch_->call().chain ? call : nullptr;
}

Chaining::Ended Guest::wait(std::span<const int32_t> ids, std::optional<uint64_t> timeout_ns) {
  const io::Deadline deadline = timeout_ns ? io::Deadline::in(static_cast<int64_t>(std::min<uint64_t>(*timeout_ns, INT64_MAX))) : io::Deadline();
  const auto watcher = std::make_shared<io::FutureCore>();
  std::vector<std::shared_ptr<Call>> calls;
  std::optional<Chaining::Ended> at_once;
  if (!watch_ || !watch_->call().chain) at_once = {Waited::Unknown, 0};
  for (uint32_t i = 0; i < ids.size() && !at_once; ++i) {
    auto call = find(ids[i]);
    if (!call) at_once = {Waited::Unknown, i};
    else if (!call->watch(watcher)) at_once = {Waited::Done, i};
    else calls.push_back(std::move(call));
  }
  int status = 0;
  if (!at_once) {
    // What it has grown by counts while it waits: those that run are few, those that wait may be thousands.
    const uint64_t grown = memory_bytes() - std::min(memory_at_start_, memory_bytes());
    std::atomic<uint64_t>& bytes = watch_->call().chain->bytes;
    bytes += grown;
    on_park();
    status = watcher->wait(deadline);
    on_resume();
    bytes -= grown;
  }
  for (const auto& call : calls) call->unwatch(watcher);
  if (at_once) return *at_once;
  for (uint32_t i = 0; i < calls.size(); ++i)
    if (calls[i]->ended()) return {Waited::Done, i};
  return {status == -ETIMEDOUT && deadline.passed() ? Waited::TimedOut : Waited::Interrupted, 0};
}

std::shared_ptr<const CallReport> Guest::report(int32_t id) {
  auto call = find(id);
  if (!call || !call->ended()) return nullptr;
  const CallReport* report = &call->report;
  return {std::move(call), report};
}

bool Guest::cancel(int32_t id) {
  const auto call = find(id);
  if (call) lane_.core().cancel(call);
  return call != nullptr;
}

}  // namespace krait::pyhost::calls
