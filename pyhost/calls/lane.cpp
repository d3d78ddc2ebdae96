// A call's way through its shard: queued, started in a coroutine when there is a slot, run, reported; then its sandbox
// is put back and kept, and the next one starts.
#include "pyhost/calls/lane.hpp"

#include <algorithm>

#include "io/coroutine.hpp"
#include "pyhost/calls/cell.hpp"
#include "pyhost/calls/core.hpp"

namespace krait::pyhost::calls {
namespace {

/// What an idle sandbox holds beside the pages of its memory that calls wrote to, which stay its own: stacks, tables, files.
constexpr uint64_t IdleBytes = uint64_t{512} << 10;

uint64_t idle_bytes_of(Cell& cell) { return IdleBytes + cell.instance().own_bytes(); }

}  // namespace

Lane::Lane(Core& core, io::Shard& shard) : core_(core), shard_(shard), scope_(shard) {}

Lane::~Lane() {
  scope_.cancel();
  (void)scope_.join();
  idle_.clear();
}

void Lane::enqueue(std::shared_ptr<Call> call) {
  load_++;
  core_.queued++;
  shard_.post([this, call = std::move(call)]() mutable {
    queue_.push_back(std::move(call));
    pump();
  });
}

void Lane::nudge(std::shared_ptr<Call> call) {
  shard_.post([this, call = std::move(call)] {
    if (const auto task = tasks_.find(call->id); task != tasks_.end()) task->second.cancel();
  });
}

void Lane::leave_slot() {
  --running_;
  core_.waiting++;
  pump();
}

void Lane::take_slot() {
  ++running_;
  core_.waiting--;
}

void Lane::pump() {
  while (running_ < core_.options.max_running && !queue_.empty()) {
    const bool full = cells_in_use_ >= core_.options.max_sandboxes;
    if (full && running_ > 0) return;  // one of those that run will end, or wait
    const std::shared_ptr<Call> call = std::move(queue_.front());
    queue_.pop_front();
    core_.queued--;
    if (full) {
      refuse(call, "all sandboxes are taken by calls that wait for others: the chain is too deep or too wide");
      continue;
    }
    ++running_, ++cells_in_use_;
    io::Task task = scope_.spawn([this, call] { run(call); }, "call");
    if (task.valid()) {
      tasks_[call->id] = task;
      continue;
    }
    --running_, --cells_in_use_;
    refuse(call, "no stack is to be had for the call");
  }
}

void Lane::refuse(const std::shared_ptr<Call>& call, const char* why) {
  CallReport report;
  report.end = CallEnd::Failed;
  report.status = Ended::TrapStatus;
  report.error = why;
  report.shard = shard_.index();
  load_--;
  core_.finish(call, std::move(report));
}

void Lane::run(const std::shared_ptr<Call>& call) {
  core_.running++;
  CallReport report;
  report.shard = shard_.index();
  report.times.queued = monotonic_ns() - call->submitted_ns;
  {
    const std::lock_guard lock(call->mutex);
    call->state = CallState::Running;
  }
  std::unique_ptr<Cell> cell = start_and_run(call, report);
  core_.running--;
  load_--;
  core_.finish(call, std::move(report));
  tasks_.erase(call->id);
  if (cell && is_wanted(*cell) && cell->reset()) keep_cell(std::move(cell));
  --running_, --cells_in_use_;
  pump();
}

std::unique_ptr<Cell> Lane::start_and_run(const std::shared_ptr<Call>& call, CallReport& report) {
  report.end = CallEnd::Failed;
  report.status = Ended::TrapStatus;
  if (call->cancelled) {
    report.end = CallEnd::Cancelled;
    report.error = "the call was cancelled";
    return nullptr;
  }
  const uint64_t begin = monotonic_ns();
  const auto start = core_.start_of(*this, call, report);
  if (!start) return nullptr;
  if (start->module) {
    run_wasm(*this, call, start->module, core_.python->compiler(), report);
    return nullptr;
  }
  auto cell = take_cell(*call, start);
  if (!cell) {
    report.error = cell.error().to_string();
    return nullptr;
  }
  report.times.start = monotonic_ns() - begin;
  report.times.reset = (*cell)->reset_ns;
  (*cell)->run(call, start->loaded ? Cell::What::Invoke : Cell::What::Both, report);
  return std::move(*cell);
}

Result<std::unique_ptr<Cell>> Lane::take_cell(Call& call, const std::shared_ptr<const FunctionStart>& start) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const std::unique_ptr<Cell>& cell) {
    return cell->serves(start, call.limits);
  });
  if (found == idle_.end()) {
    auto cell = Cell::create(*this, start->snapshot, call.limits);
    if (cell) (*cell)->start = start;
    return cell;
  }
  std::unique_ptr<Cell> cell = std::move(*found);
  idle_.erase(found);
  count_idle(*cell, -1);
  return cell;
}

/// Whether keeping it is worth its reset: where it would only drive out its like, as most of a burst's sandboxes would, it is not.
/// What it would hold is known after the reset; its like tells it before.
bool Lane::is_wanted(const Cell& cell) const {
  if (idle_.empty() || !idle_.back()->serves(cell.start, cell.limits)) return true;
  return idle_bytes_ + idle_bytes_of(*idle_.back()) <= core_.options.idle_bytes;
}

void Lane::keep_cell(std::unique_ptr<Cell> cell) {
  count_idle(*cell, 1);
  idle_.push_front(std::move(cell));
  while (idle_bytes_ > core_.options.idle_bytes && !idle_.empty()) {
    count_idle(*idle_.back(), -1);
    idle_.pop_back();
  }
}

void Lane::count_idle(Cell& cell, int sign) {
  const uint64_t bytes = idle_bytes_of(cell) * static_cast<uint64_t>(sign);
  idle_bytes_ += bytes;
  core_.idle_bytes += bytes;
  core_.idle += static_cast<uint64_t>(sign);
}

}  // namespace krait::pyhost::calls
