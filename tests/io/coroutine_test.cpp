// Coroutines and scopes on one shard: life, waiting, cancels, fairness, stacks.
#include <cstring>
#include <vector>

#include "io/runtime.hpp"
#include "io/sync.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

TEST_CASE("spawned coroutines run in order and can be joined") {
  in_coroutine([] {
    std::vector<int> order;
    Scope scope;
    Task one = scope.spawn([&] { order.push_back(1); }, "one");
    Task two = scope.spawn([&] {
      order.push_back(2);
      CHECK(yield() == 0);
      order.push_back(4);
    });
    scope.spawn([&] { order.push_back(3); });
    CHECK(order.empty());
    CHECK(std::strcmp(one.get()->name(), "one") == 0);
    CHECK(one.join() == 0);
    CHECK(one.done());
    CHECK_FALSE(two.done());
    CHECK(two.join() == 0);
    CHECK(two.join() == 0);
    CHECK(scope.join() == 0);
    CHECK(order == std::vector{1, 2, 3, 4});
  });
}

TEST_CASE("waiting outside a coroutine is refused") {
  CHECK(current() == nullptr);
  CHECK(yield() == -EPERM);
  CHECK(sleep_for(1ms) == -EPERM);
  WaitQueue queue;
  CHECK(queue.wait() == -EPERM);
}

TEST_CASE("sleepers wake in the order of their deadlines") {
  in_coroutine([] {
    std::vector<int> order;
    Scope scope;
    const int64_t now = now_ns();
    for (const int ms : {30, 10, 20, 0}) {
      scope.spawn([&order, now, ms] {
        CHECK(sleep_until(Deadline::at(now + ms * 1'000'000)) == 0);
        order.push_back(ms);
      });
    }
    CHECK(scope.join() == 0);
    CHECK(order == std::vector{0, 10, 20, 30});
  });
}

TEST_CASE("a task cannot join itself; a join times out") {
  in_coroutine([] {
    Scope scope;
    Task self;
    self = scope.spawn([&] { CHECK(self.join() == -EDEADLK); });
    CHECK(self.join() == 0);
    Task sleeper = scope.spawn([] { sleep_for(1h); });
    CHECK(sleeper.join(5ms) == -ETIMEDOUT);
    sleeper.cancel();
    CHECK(sleeper.join() == 0);
  });
}

TEST_CASE("a cancel ends the current wait and all later ones, but not shielded ones") {
  in_coroutine([] {
    Scope scope;
    int first = 1, later = 1, shielded = 1, after = 1, yielded = 1;
    Task task = scope.spawn([&] {
      first = sleep_for(1h);
      later = sleep_for(1h);
      {
        Shield shield;
        shielded = sleep_for(1ms);
        yielded = yield();
      }
      after = yield();
    });
    CHECK(yield() == 0);
    task.cancel();
    CHECK(task.join() == 0);
    CHECK(first == -ECANCELED);
    CHECK(later == -ECANCELED);
    CHECK(shielded == 0);
    CHECK(yielded == 0);
    CHECK(after == -ECANCELED);
  });
}

TEST_CASE("a cancel that comes under a shield waits for its end") {
  in_coroutine([] {
    Scope scope;
    int shielded = 1, after = 1;
    Task task = scope.spawn([&] {
      {
        Shield shield;
        shielded = sleep_for(10ms);
      }
      after = sleep_for(1h);
    });
    CHECK(yield() == 0);
    task.cancel();
    CHECK(task.join() == 0);
    CHECK(shielded == 0);
    CHECK(after == -ECANCELED);
  });
}

TEST_CASE("a coroutine's deadline bounds its waits") {
  in_coroutine([] {
    Scope scope;
    int slept = 1, queued = 1, shielded = 1;
    scope.spawn([&] {
      current()->set_deadline(Deadline(5ms));
      slept = sleep_for(1h);
      WaitQueue queue;
      queued = queue.wait(Deadline(1h));
      Shield shield;
      shielded = sleep_for(1ms);
    });
    CHECK(scope.join() == 0);
    CHECK(slept == -ETIMEDOUT);
    CHECK(queued == -ETIMEDOUT);
    CHECK(shielded == 0);
  });
}

TEST_CASE("a scope ends what it holds, nested scopes included") {
  in_coroutine([] {
    int ended = 0;
    {
      Scope outer;
      for (int i = 0; i < 10; ++i) {
        outer.spawn([&] {
          Scope inner;
          for (int j = 0; j < 10; ++j) {
            inner.spawn([&] {
              CHECK(sleep_for(1h) == -ECANCELED);
              ++ended;
            });
          }
          CHECK(inner.join() == -ECANCELED);
          CHECK(inner.cancelled());
        });
      }
      CHECK(yield() == 0);
      CHECK(outer.live() == 10);
      CHECK(outer.join(1ms) == -ETIMEDOUT);
    }
    CHECK(ended == 100);
  });
}

TEST_CASE("a cancelled scope takes nobody in") {
  in_coroutine([] {
    Scope scope;
    scope.cancel();
    auto captured = std::make_shared<int>(0);
    Task task = scope.spawn([captured] { FAIL("ran"); });
    CHECK_FALSE(task.valid());
    CHECK(task.join() == 0);
    CHECK(captured.use_count() == 1);
  });
}

TEST_CASE("a cancelled caller's scope still waits for its coroutines") {
  in_coroutine([] {
    Scope outer;
    bool inner_ended = false;
    Task task = outer.spawn([&] {
      Scope inner;
      inner.spawn([&] {
        Shield shield;
        sleep_for(20ms);
        inner_ended = true;
      });
      sleep_for(1h);
    });
    CHECK(yield() == 0);
    task.cancel();
    CHECK(task.join() == 0);
    CHECK(inner_ended);
  });
}

TEST_CASE("a cancelled loop that ignores its errors does not starve the others") {
  in_coroutine([] {
    Scope scope;
    bool stop = false;
    Task stubborn = scope.spawn([&] {
      while (!stop) sleep_for(1h);
    });
    CHECK(yield() == 0);
    stubborn.cancel();
    CHECK(sleep_for(5ms) == 0);
    CHECK_FALSE(stubborn.done());
    stop = true;
    CHECK(stubborn.join() == 0);
  });
}

TEST_CASE("hooks frame each park") {
  struct Log {
    int suspended = 0, resumed = 0;
  } log;
  static constexpr SwitchHooks hooks = {[](void* log) { ++static_cast<Log*>(log)->suspended; },
                                        [](void* log) { ++static_cast<Log*>(log)->resumed; }};
  in_coroutine([&] {
    current()->set_user(&log);
    current()->set_hooks(&hooks);
    CHECK(current()->user() == &log);
    CHECK(sleep_for(1ms) == 0);
    CHECK(log.suspended == 1);
    CHECK(log.resumed == 1);
    CHECK(yield() == 0);
    CHECK(log.suspended == 2);
    CHECK(log.resumed == 2);
    current()->set_hooks(nullptr);
  });
}

TEST_CASE("an endless loop that polls its slice lets a thousand short coroutines finish") {
  in_coroutine([] {
    Scope scope;
    const std::atomic<uint32_t>& expired = *current()->shard().slice_flag();
    uint64_t turns = 0;
    Task endless = scope.spawn([&] {
      for (;;) {
        ++turns;
        if (expired.load(std::memory_order_relaxed) != 0 && yield() != 0) return;
      }
    });
    int ended = 0;
    Scope brief;
    for (int i = 0; i < 1000; ++i) {
      brief.spawn([&ended, i] {
        CHECK(sleep_for(std::chrono::microseconds(i % 10 * 100)) == 0);
        ++ended;
      });
    }
    CHECK(brief.join() == 0);
    CHECK(ended == 1000);
    CHECK_FALSE(endless.done());
    CHECK(turns > 0);
    endless.cancel();
    CHECK(endless.join() == 0);
  });
}

TEST_CASE("computing coroutines share a shard among themselves and with those that never rest") {
  in_coroutine(
      [] {
        Scope scope;
        const std::atomic<uint32_t>& expired = *current()->shard().slice_flag();
        std::vector<int> slices(3);
        for (int& count : slices) {
          scope.spawn([&] {
            for (;;) {
              if (expired.load(std::memory_order_relaxed) == 0) continue;
              ++count;
              if (yield() != 0) return;
            }
          });
        }
        // Always ready, never computing: must not keep the others from their share.
        scope.spawn([] {
          while (yield() == 0) {
          }
        });
        while (slices[0] < 3 || slices[1] < 3 || slices[2] < 3) REQUIRE(sleep_for(1ms) == 0);
      },
      {.shards = 1, .slice = 2ms});
}

namespace {

[[gnu::noinline]] size_t recurse(const std::byte* limit) {
  volatile char frame[1000];
  frame[0] = 1;
  if (reinterpret_cast<const std::byte*>(const_cast<const char*>(frame)) < limit + 65536) return 1;
  return recurse(limit) + static_cast<size_t>(frame[0]);
}

}  // namespace

TEST_CASE("recursion may use nearly all of the stack, and its bounds can be asked") {
  in_coroutine([] {
    Scope scope;
    size_t depth = 0;
    for (int round = 0; round < 3; ++round) {
      scope.spawn([&] {
        Coroutine& self = *current();
        CHECK(self.stack_base() - self.stack_limit() >= 8 << 20);
        std::byte here;
        CHECK(&here < self.stack_base());
#if !defined(__SANITIZE_ADDRESS__)
        CHECK(self.stack_base() - &here < 1 << 20);
#endif
        depth = recurse(self.stack_limit());
      });
      CHECK(scope.join() == 0);
      CHECK(depth > 1000);
    }
  });
}

TEST_CASE("ten thousand coroutines parked at once") {
  in_coroutine([] {
    constexpr int Count = 10000;
    Scope scope;
    Event go;
    int parked = 0, woken = 0;
    for (int i = 0; i < Count; ++i) {
      Task task = scope.spawn([&, i] {
        ++parked;
        if (i % 2 == 0)
          CHECK(go.wait() == 0);
        else
          CHECK(sleep_for(1h) == -ECANCELED);
        ++woken;
      });
      REQUIRE(task.valid());
    }
    while (parked < Count) CHECK(yield() == 0);
    go.set();
    CHECK(yield() == 0);
    while (woken < Count / 2) CHECK(yield() == 0);
    scope.cancel();
    CHECK(scope.join() == 0);
    CHECK(woken == Count);
  });
}

}  // namespace krait::io
