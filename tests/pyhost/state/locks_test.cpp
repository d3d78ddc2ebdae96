// Locks on keys: fair, across shards, refused where they would never come.
#include "pyhost/state/key_locks.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "io/runtime.hpp"
#include "io/scope.hpp"
#include "pyhost/state/local_state.hpp"

using namespace krait;
using namespace krait::pyhost;
using namespace std::chrono_literals;

namespace {

const store::StateKey A{"anna", "a"}, B{"anna", "b"};
constexpr io::Deadline Never;

std::unique_ptr<io::Runtime> start(unsigned shards) {
  auto runtime = io::Runtime::start({.shards = shards});
  REQUIRE_MESSAGE(runtime, runtime.error().message);
  return std::move(*runtime);
}

}  // namespace

TEST_CASE("readers share, a writer is alone, and what is not held is not given back") {
  KeyLocks locks;
  CHECK(locks.lock(A, 1, false, Never).ok());
  CHECK(locks.lock(A, 2, false, Never).ok());
  CHECK(locks.lock(B, 3, true, Never).ok());
  CHECK(locks.lock(A, 3, true, 1ms).error() == Errno::TimedOut);
  CHECK(locks.lock(A, 3, false, 1ms).ok());  // the writer who gave up keeps no reader out
  CHECK(locks.unlock(A, 3, true).error() == Errno::Perm);
  CHECK(locks.unlock(A, 4, false).error() == Errno::Perm);
  CHECK(locks.unlock(A, 1, false).ok());
  CHECK(locks.unlock(A, 1, false).error() == Errno::Perm);
  CHECK(locks.unlock(A, 2, false).ok());
  CHECK(locks.unlock(A, 3, false).ok());
  CHECK(locks.lock(A, 1, true, 0ms).ok());
  CHECK(locks.lock({"bert", "a"}, 2, true, 0ms).ok());  // users apart
  CHECK(locks.held() == 3);
  for (const KeyLocks::Holder holder : {1, 2, 3}) locks.release(holder);
  CHECK(locks.held() == 0);
}

TEST_CASE("a reader may lock again; whoever would wait for itself is told") {
  KeyLocks locks;
  REQUIRE(locks.lock(A, 1, false, Never).ok());
  CHECK(locks.lock(A, 1, false, Never).ok());
  CHECK(locks.lock(A, 1, true, Never).error() == Errno::DeadLk);
  CHECK(locks.unlock(A, 1, false).ok());
  CHECK(locks.lock(A, 2, true, 1ms).error() == Errno::TimedOut);
  CHECK(locks.unlock(A, 1, false).ok());
  CHECK(locks.lock(A, 2, true, 0ms).ok());
  CHECK(locks.lock(A, 2, false, Never).error() == Errno::DeadLk);
  CHECK(locks.lock(A, 2, true, Never).error() == Errno::DeadLk);
}

TEST_CASE("two that would wait for one another: one of them is told, and the other goes on") {
  KeyLocks locks;
  REQUIRE(locks.lock(A, 1, true, Never).ok());
  REQUIRE(locks.lock(B, 2, true, Never).ok());
  std::atomic<int> told = 0, got = 0;
  const auto want = [&](const store::StateKey& key, KeyLocks::Holder holder) {
    const auto locked = locks.lock(key, holder, true, Never);
    if (locked) got++;
    else told += locked.error() == Errno::DeadLk;
    locks.release(holder);
  };
  std::thread first([&] { want(B, 1); });
  want(A, 2);
  first.join();
  CHECK(told == 1);
  CHECK(got == 1);
  CHECK(locks.held() == 0);
}

TEST_CASE("waiters get their turn in the order of asking: readers do not starve a writer, nor it them") {
  auto runtime = start(1);
  KeyLocks locks;
  std::vector<int> order;
  runtime->shard(0).run([&] {
    REQUIRE(locks.lock(A, 100, false, Never).ok());
    io::Scope scope;
    for (int i = 0; i < 12; i++)
      scope.spawn([&, i] {
        const bool write = i % 3 == 1;
        REQUIRE(locks.lock(A, i + 1, write, Never).ok());
        order.push_back(i);
        io::sleep_for(1ms);
        REQUIRE(locks.unlock(A, i + 1, write).ok());
      });
    io::sleep_for(5ms);
    CHECK(order == std::vector{0});  // the writer behind it keeps the later readers waiting
    locks.release(100);
    scope.join();
  });
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(locks.held() == 0);
  CHECK(runtime->shutdown(0s, 5s).ok());
}

TEST_CASE("a writer on each of two shards and a plain thread count together") {
  auto runtime = start(2);
  KeyLocks locks;
  uint64_t counter = 0, inside = 0;
  std::atomic<uint64_t> wrong = 0;
  const auto work = [&](KeyLocks::Holder holder) {
    for (int i = 0; i < 300; i++) {
      wrong += !locks.lock(A, holder, true, Never).ok();
      wrong += ++inside != 1;
      counter++;
      if (io::current() && i % 16 == 0) io::yield();
      inside--;
      wrong += !locks.unlock(A, holder, true).ok();
    }
  };
  std::thread other([&] { work(1); });
  std::thread shard_1([&] { runtime->shard(1).run([&] { work(2); }); });
  runtime->shard(0).run([&] {
    io::Scope scope;
    for (KeyLocks::Holder holder = 3; holder < 8; holder++) scope.spawn([&, holder] { work(holder); });
    scope.join();
  });
  other.join();
  shard_1.join();
  CHECK(wrong == 0);
  CHECK(counter == 7 * 300);
  CHECK(locks.held() == 0);
  CHECK(runtime->shutdown(0s, 5s).ok());
}

TEST_CASE("a cancelled waiter is gone from the queue; a session gives back what it has at its end") {
  auto runtime = start(1);
  const auto state = std::make_shared<LocalState>(store::memory_state());
  runtime->shard(0).run([&] {
    auto holder = std::make_unique<StateSession>(state, "anna");
    REQUIRE(holder->lock("a", true, Never).ok());
    REQUIRE(holder->lock("b", false, Never).ok());
    io::Scope scope;
    Errno cancelled = Errno::Success;
    bool third = false;
    io::Task waiter = scope.spawn([&] {
      StateSession session(state, "anna");
      cancelled = session.lock("a", true, Never).error();
    });
    scope.spawn([&] {
      StateSession session(state, "anna");
      REQUIRE(session.lock("a", false, Never).ok());
      third = true;
    });
    io::sleep_for(1ms);
    waiter.cancel();
    waiter.join();
    CHECK(cancelled == Errno::Canceled);
    CHECK_FALSE(third);
    holder.reset();
    scope.join();
    CHECK(third);
  });
  CHECK(state->locks().held() == 0);
  CHECK(runtime->shutdown(0s, 5s).ok());
}
