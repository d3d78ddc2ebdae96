// Start: the ticker before the shards, since they read its ticks. Stop: coroutines first, while all
// shards still run (one may wait for another), then all loops, then all threads; only then is
// anything freed, so no post or wake can find a dead shard.
#include "io/runtime.hpp"

#include <sched.h>

#include <cassert>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "io/ring.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

namespace {

unsigned usable_cores() {
  cpu_set_t cores;
  const int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
  return static_cast<unsigned>(count < 1 ? 1 : count);
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::start(Options options) {
  std::unique_ptr<Runtime> runtime(new Runtime);
  const unsigned count = options.shards != 0 ? options.shards : usable_cores();
  std::vector<SliceClock*> clocks;
  for (unsigned i = 0; i < count; ++i) {
    runtime->shards_.emplace_back(new Shard(*runtime, i));
    clocks.push_back(&runtime->shards_.back()->clock_);
  }
  runtime->blocking_ = std::make_unique<BlockingPool>(options.blocking_threads);
  runtime->ticker_ = std::make_unique<Ticker>(options.slice, std::move(clocks));
  for (size_t i = 0; i < count; ++i) {
    Result<void> started = runtime->shards_[i]->start(options);
    if (started) continue;
    runtime->stop_shards();
    return started.error();
  }
  return runtime;
}

Runtime::~Runtime() {
  if (stopped_) return;
  for (auto& shard : shards_) {
    shard->run([&] {
      shard->root().cancel();
      shard->root().join();
    });
  }
  stop_shards();
}

Result<void> Runtime::shutdown(std::chrono::nanoseconds drain, std::chrono::nanoseconds cancel) {
  assert(!Shard::current());
  if (stopped_) return {};
  const Deadline drained(drain);
  // What the shards report back; shared, since a shard that never yields reports after this
  // function has given up on it.
  struct Report {
    std::mutex mutex;
    std::string names;
    size_t left = 0;
  };
  const auto report = std::make_shared<Report>();
  const Deadline ended = Deadline::at(drained.ns()).is_never() ? drained : Deadline(drain + cancel);
  std::vector<std::future<void>> answers;
  for (auto& shard : shards_) {
    std::promise<void> answer;
    answers.push_back(answer.get_future());
    shard->spawn(
        *shard->service_,
        [=, root = shard->root_.get(), answer = std::move(answer)]() mutable {
          if (root->join(drained) != 0) {
            root->cancel();
            root->join(ended);
          }
          std::lock_guard lock(report->mutex);
          root->for_each([&](Coroutine& coroutine) {
            ++report->left;
            if (report->left <= 8)
              report->names += std::string(report->left == 1 ? "" : ", ") + coroutine.name();
          });
          answer.set_value();
        },
        "shutdown");
  }
  size_t hung = 0;
  for (auto& answer : answers) {
    // A little longer than the shards' own bound, so that it is they who report.
    if (ended.is_never()) {
      answer.wait();
    } else if (answer.wait_until(std::chrono::steady_clock::time_point(
                   std::chrono::nanoseconds(ended.ns()) + std::chrono::milliseconds(500))) !=
               std::future_status::ready) {
      ++hung;
    }
  }
  std::lock_guard lock(report->mutex);
  if (report->left == 0 && hung == 0) {
    stop_shards();
    return {};
  }
  std::string message =
      std::to_string(report->left) + " coroutine(s) did not end when cancelled: " + report->names;
  if (hung != 0)
    message += "; " + std::to_string(hung) + " shard(s) run a coroutine that does not yield";
  return Error{std::move(message)};
}

void Runtime::stop_shards() {
  // After a failed start the later shards have no thread.
  for (auto& shard : shards_) {
    if (shard->thread_.joinable()) shard->post([target = shard.get()] { target->stop_ = true; });
  }
  for (auto& shard : shards_) {
    if (shard->thread_.joinable()) shard->thread_.join();
  }
  ticker_.reset();
  blocking_.reset();
  stopped_ = true;
}

}  // namespace krait::io
