// Where calls are placed, ended and cancelled, and functions' starts are made.
#include "pyhost/calls/core.hpp"

#include <algorithm>

#include "pyhost/calls/cell.hpp"

namespace krait::pyhost::calls {

void Core::place(const std::shared_ptr<Call>& call) {
  Lane* best = lanes[0].get();
  for (const auto& lane : lanes)
    if (lane->load() < best->load()) best = lane.get();
  call->lane = best;
  table.add(call);
  best->enqueue(call);
}

void Core::finish(const std::shared_ptr<Call>& call, CallReport report) {
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
  const uint64_t over = ++ended;
  if (over != submitted) return;
  const std::lock_guard lock(quiet_mutex);
  if (quiet) quiet->set(0);
}

void Core::cancel(const std::shared_ptr<Call>& call) {
  std::vector<std::shared_ptr<Call>> all{call};
  for (size_t i = 0; i < all.size(); ++i) {
    Call& one = *all[i];
    {
      const std::lock_guard lock(one.mutex);
      for (const auto& child : one.children)
        if (auto there = child.lock()) all.push_back(std::move(there));
      if (one.state == CallState::Ended) continue;
    }
    one.cancelled = true;
    one.lane->nudge(all[i]);
  }
}

Result<std::shared_ptr<const FunctionStart>> Core::start_of(FunctionVersion& function) {
  for (;;) {
    std::shared_ptr<io::FutureCore> wait_for, mine;
    {
      const std::lock_guard lock(function.mutex);
      if (function.start) return function.start;
      wait_for = function.being_made;
      if (!wait_for) mine = function.being_made = std::make_shared<io::FutureCore>();
    }
    if (wait_for) {
      if (const int error = wait_for->wait({}); error != 0) return Error{"the call was cancelled"};
      continue;
    }
    auto made = make_start(function);
    {
      const std::lock_guard lock(function.mutex);
      if (made) function.start = *made;
      function.being_made.reset();
    }
    mine->set(0);
    return made;
  }
}

Result<std::shared_ptr<const FunctionStart>> Core::make_start(const FunctionVersion& function) {
  auto start = std::make_shared<FunctionStart>();
  if (function.info.kind == store::FunctionKind::Wasm) {
    auto module = engine::Module::compile(std::span<const std::byte>(function.contents));
    if (!module) return std::move(module.error());
    start->module = std::move(*module);
    return std::shared_ptr<const FunctionStart>(std::move(start));
  }
  start->snapshot = base;
  return std::shared_ptr<const FunctionStart>(std::move(start));
}

}  // namespace krait::pyhost::calls
