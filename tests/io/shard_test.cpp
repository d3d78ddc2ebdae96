// Several shards: posts, wakes, scopes held by plain threads, shutdown.
#include <sys/resource.h>

#include <atomic>
#include <thread>
#include <vector>

#include "io/future.hpp"
#include "io/sync.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

TEST_CASE("there are as many shards as asked for, each on its thread") {
  auto runtime = start_runtime({.shards = 3});
  REQUIRE(runtime->shards() == 3);
  std::thread::id threads[3];
  for (unsigned i = 0; i < 3; ++i) {
    runtime->shard(i).run([&, i] {
      threads[i] = std::this_thread::get_id();
      CHECK(Shard::current() == &runtime->shard(i));
      CHECK(current()->shard().index() == i);
    });
  }
  CHECK(threads[0] != threads[1]);
  CHECK(threads[1] != threads[2]);
  CHECK(Shard::current() == nullptr);
  CHECK(runtime->shutdown(1s, 1s));
  CHECK(runtime->shutdown(1s, 1s));
}

TEST_CASE("posts from many threads all arrive, each thread's in order") {
  auto runtime = start_runtime({.shards = 1});
  constexpr int Threads = 4, Posts = 2000;
  std::vector<int> last(Threads, -1);
  int disorder = 0;
  std::atomic<int> arrived{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < Threads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < Posts; ++i) {
        runtime->shard(0).post([&, t, i] {
          if (last[static_cast<size_t>(t)] != i - 1) ++disorder;
          last[static_cast<size_t>(t)] = i;
          arrived.fetch_add(1);
          arrived.notify_one();
        });
        if (i % 100 == 0) std::this_thread::sleep_for(100us);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int seen; (seen = arrived.load()) < Threads * Posts;) arrived.wait(seen);
  runtime->shard(0).run([&] { CHECK(disorder == 0); });
  CHECK(runtime->shutdown(1s, 1s));
}

TEST_CASE("sleeping shards wake each other, at each level of kernel support") {
  for (unsigned level = 0; level <= 3; ++level) {
    CAPTURE(level);
    auto runtime = start_runtime({.shards = 2, .ring_level = level});
    std::atomic<int> turn{0};
    constexpr int Turns = 400;
    Shard* shards[] = {&runtime->shard(0), &runtime->shard(1)};
    struct Ball {
      std::atomic<int>& turn;
      Shard** shards;
      void operator()() {
        const int now = turn.fetch_add(1) + 1;
        turn.notify_all();
        if (now < Turns) shards[now % 2]->post(Ball{turn, shards});
      }
    };
    shards[0]->post(Ball{turn, shards});
    for (int seen; (seen = turn.load()) < Turns;) turn.wait(seen);
    CHECK(runtime->shutdown(1s, 1s));
  }
}

TEST_CASE("a thread may hold a scope on a shard") {
  auto runtime = start_runtime({.shards = 2});
  std::atomic<int> ended{0};
  {
    Scope scope(runtime->shard(1));
    for (int i = 0; i < 50; ++i) {
      runtime->shard(1).spawn(scope, [&] {
        CHECK(Shard::current() == &runtime->shard(1));
        sleep_for(1ms);
        ++ended;
      });
    }
    CHECK(scope.join() == 0);
    CHECK(ended == 50);
    runtime->shard(1).spawn(scope, [&] {
      CHECK(sleep_for(1h) == -ECANCELED);
      ++ended;
    });
    CHECK(scope.join(2ms) == -ETIMEDOUT);
  }
  CHECK(ended == 51);
  CHECK(runtime->shutdown(1s, 1s));
}

TEST_CASE("shutdown drains what ends by itself and cancels the rest") {
  auto runtime = start_runtime({.shards = 2});
  std::atomic<int> drained{0}, cancelled{0};
  for (unsigned i = 0; i < 20; ++i) {
    runtime->shard(i % 2).spawn([&] {
      if (sleep_for(10ms) == 0) ++drained;
    });
    runtime->shard(i % 2).spawn([&] {
      if (sleep_for(1h) == -ECANCELED) ++cancelled;
    });
  }
  CHECK(runtime->shutdown(500ms, 5s));
  CHECK(drained == 20);
  CHECK(cancelled == 20);
}

TEST_CASE("shutdown is bounded, and names who would not end") {
  auto runtime = start_runtime({.shards = 1});
  std::atomic<bool> release{false};
  runtime->shard(0).spawn(
      [&] {
        while (!release) sleep_for(1ms);
      },
      "stubborn");
  const auto refused = runtime->shutdown(1ms, 20ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "1 coroutine(s) did not end when cancelled: stubborn");
  release = true;
  CHECK(runtime->shutdown(0s, 5s));
}

TEST_CASE("shutdown gives up on a shard that does not yield") {
  auto runtime = start_runtime({.shards = 1});
  std::atomic<bool> release{false};
  runtime->shard(0).spawn([&] { release.wait(false); });
  const auto refused = runtime->shutdown(1ms, 20ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("1 shard(s) run a coroutine that does not yield") !=
        std::string::npos);
  release = true;
  release.notify_all();
  CHECK(runtime->shutdown(0s, 5s));
}

TEST_CASE("the destructor ends what shutdown was not asked to") {
  std::atomic<int> ended{0};
  {
    auto runtime = start_runtime({.shards = 2});
    for (unsigned i = 0; i < 10; ++i) {
      runtime->shard(i % 2).spawn([&] {
        sleep_for(1h);
        ++ended;
      });
    }
  }
  CHECK(ended == 10);
}

TEST_CASE("without descriptors the start fails with one line and leaves nothing behind") {
  rlimit old = {};
  getrlimit(RLIMIT_NOFILE, &old);
  rlimit none = old;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  auto runtime = Runtime::start({.shards = 2});
  setrlimit(RLIMIT_NOFILE, &old);
  REQUIRE_FALSE(runtime);
  CHECK(runtime.error().message.find("ulimit -n") != std::string::npos);
}

}  // namespace krait::io
