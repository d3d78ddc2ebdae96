// Where calls are placed, ended and cancelled, and functions' starts are made.
#include "pyhost/calls/core.hpp"

#include <algorithm>

#include "io/blocking.hpp"
#include "io/coroutine.hpp"
#include "pyhost/calls/cell.hpp"

namespace krait::pyhost::calls {

Result<std::unique_ptr<PythonInstance>> bare_python(const std::shared_ptr<const PythonRuntime>& python,
                                                    std::shared_ptr<const PythonSnapshot> snapshot) {
  PythonOptions options;
  options.env = default_python_env();
  options.stdio = {};
  if (const io::Coroutine* here = io::current()) options.native_stack_limit = here->stack_limit() + IoWaiter::HostStack;
  return PythonInstance::create(python, std::move(options), std::move(snapshot));
}

namespace {

/// What a function's module may take to be loaded, at the least.
constexpr uint64_t LoadMs = 5'000;

}  // namespace

void Core::place(const std::shared_ptr<Call>& call) {
  Lane* best = lanes[0].get();
  for (const auto& lane : lanes)
    if (lane->load() < best->load()) best = lane.get();
  call->lane = best;
  table.add(call);
  best->enqueue(call);
}

namespace {

/// The result in place of the input among what the chain holds; where there is no room for it, a failure without it.
void hold_result(Call& call, CallReport& report) {
  if (!call.chained()) return;
  Chain& chain = *call.chain;
  const PythonFailure none{};
  const PythonFailure& failure = report.failure ? *report.failure : none;
  const uint64_t bytes = report.output.size() + report.out.size() + report.err.size() + failure.message.size() + failure.traceback.size();
  chain.bytes -= std::exchange(call.held, 0);
  if (chain.hold(bytes)) {
    call.held = bytes;
    return;
  }
  CallReport without;
  without.end = CallEnd::Failed;
  without.status = Ended::TrapStatus;
  without.error = "there is no room for the result: the chain holds its " + std::to_string(chain.max_bytes) + " bytes, the limit";
  without.times = report.times;
  without.peak_memory = report.peak_memory;
  without.shard = report.shard;
  report = std::move(without);
}

/// `call`, and all that it has chained; `visit` sees each before its children are looked up.
template <typename Visit>
void for_each_chained(const std::shared_ptr<Call>& call, Visit visit) {
  std::vector<std::shared_ptr<Call>> all{call};
  for (size_t i = 0; i < all.size(); ++i) {
    const std::shared_ptr<Call> one = all[i];
    visit(one);
    const std::lock_guard lock(one->mutex);
    for (const auto& child : one->children)
      if (auto there = child.lock()) all.push_back(std::move(there));
  }
}

}  // namespace

void Core::forget_chained(const std::shared_ptr<Call>& first) {
  for_each_chained(first, [this](const std::shared_ptr<Call>& call) {
    if (call->chained()) table.drop(call->id);
  });
}

void Core::finish(const std::shared_ptr<Call>& call, CallReport report) {
  hold_result(*call, report);
  report.id = call->id;
  std::vector<std::shared_ptr<io::FutureCore>> watchers;
  {
    const std::lock_guard lock(call->mutex);
    call->report = std::move(report);
    call->state = CallState::Ended;
    watchers.swap(call->watchers);
  }
  call->spec.input = {};
  call->function.reset();
  table.expire_later(call);
  for (const auto& watcher : watchers) watcher->set(0);
  if (--call->chain->live == 0)
    if (const auto first = std::move(call->chain->first); call->chain->calls != 0) forget_chained(first);
  const uint64_t over = ++ended;
  if (over != submitted) return;
  const std::lock_guard lock(quiet_mutex);
  if (quiet) quiet->set(0);
}

void Core::cancel(const std::shared_ptr<Call>& call) {
  for_each_chained(call, [](const std::shared_ptr<Call>& one) {
    if (one->ended()) return;
    one->cancelled = true;
    one->lane->nudge(one);
  });
}

std::shared_ptr<const FunctionStart> Core::start_of(Lane& lane, const std::shared_ptr<Call>& call, CallReport& report) {
  FunctionVersion& function = *call->function;
  if (call->limits.fresh_hashes && function.info.kind == store::FunctionKind::Python) return nothing_;
  for (;;) {
    std::shared_ptr<io::FutureCore> wait_for;
    {
      const std::lock_guard lock(function.mutex);
      if (function.start) return function.start;
      if (function.being_made) function.waiting.push_back(wait_for = std::make_shared<io::FutureCore>());
      function.being_made = true;
    }
    if (wait_for) {
      if (wait_for->wait({}) == 0) continue;
      report.end = CallEnd::Cancelled;
      report.error = "the call was cancelled";
      return nullptr;
    }
    auto made = make_start(lane, call, report);
    std::vector<std::shared_ptr<io::FutureCore>> waiting;
    {
      const std::lock_guard lock(function.mutex);
      function.start = made;
      function.being_made = false;
      waiting.swap(function.waiting);
    }
    for (const auto& waiter : waiting) waiter->set(0);
    return made;
  }
}

Result<std::shared_ptr<const PythonSnapshot>> Core::base() {
  const std::lock_guard lock(base_mutex_);  // nothing below waits
  if (base_) return base_;
  const io::Coroutine* here = io::current();
  auto made = base_snapshot(python, here ? here->stack_limit() + IoWaiter::HostStack : nullptr);
  if (made) base_ = *made;
  return made;
}

void Core::prepare(const std::string& user, const std::string& function) {
  auto version = functions.find(user, function);
  if (!version) return;
  auto call = std::make_shared<Call>();
  call->spec.user = user;
  call->spec.function = function;
  call->function = *version;
  call->limits = (*version)->limits.over(options.limits);
  const auto done = std::make_shared<io::FutureCore>();
  Lane& lane = *lanes[0];
  lane.spawn([this, &lane, call, done] {
    CallReport report;
    (void)start_of(lane, call, report);
    done->set(0);
  });
  (void)done->wait({});
}

std::shared_ptr<const FunctionStart> Core::make_start(Lane& lane, const std::shared_ptr<Call>& call, CallReport& report) {
  FunctionVersion& function = *call->function;
  auto start = std::make_shared<FunctionStart>();
  if (function.info.kind == store::FunctionKind::Wasm) {
    auto module = engine::Module::compile(std::span<const std::byte>(function.contents));
    if (module) start->module = std::move(*module);
    else report.error = module.error().to_string();
    return module ? start : nullptr;
  }
  const store::Digest key = ImageCache::key({"function", python->identity(), function.info.user, function.info.name, function.info.digest.hex()});
  if ((start->snapshot = cached_snapshot(*python, key))) {
    start->loaded = true;
    return start;
  }
  // Each function's Python is started anew: a hash secret cannot change once there are dictionaries, and no two share one.
  const store::Digest bare_key =
      ImageCache::key({"function, not loaded", python->identity(), function.info.user, function.info.name, function.info.digest.hex()});
  if ((start->snapshot = cached_snapshot(*python, bare_key))) return start;
  const auto fail = [&report](const Error& error) {
    report.error = error.to_string();
    return nullptr;
  };
  auto cell = Cell::create(lane, function.booted, call->limits);
  if (!cell) return fail(cell.error());
  PythonInstance& instance = (*cell)->instance();
  if (!function.booted) {
    if (auto warmed = instance.warm(); !warmed) return fail(warmed.error());
    auto booted = instance.snapshot();
    if (!booted) return fail(booted.error());
    function.booted = std::move(*booted);
  }
  // What is done once has time of its own.
  const uint64_t wall_ms = call->limits.wall_ms;
  if (wall_ms != 0) call->limits.wall_ms = std::max(wall_ms, LoadMs);
  (*cell)->run(call, Cell::What::Load, report);
  call->limits.wall_ms = wall_ms;
  if (report.end != CallEnd::Returned || report.status != 0) return nullptr;
  start->snapshot = std::exchange(function.booted, nullptr);
  if (instance.snapshot_is_whole())
    if (auto snapshot = instance.snapshot()) {
      start->snapshot = std::move(*snapshot);
      start->loaded = true;
    }
  (void)io::offload([&] { start->snapshot = keep_snapshot(*python, start->loaded ? key : bare_key, std::move(start->snapshot)); });
  report = CallReport{};
  return start;
}

}  // namespace krait::pyhost::calls
