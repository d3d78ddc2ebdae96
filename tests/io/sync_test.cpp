// Locks, signals, channels and futures: order, timeouts, cancels.
#include <string>
#include <thread>
#include <vector>

#include "io/channel.hpp"
#include "io/future.hpp"
#include "io/sync.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

TEST_CASE("a mutex excludes, is handed over in order, times out and can be cancelled") {
  in_coroutine([] {
    Scope scope;
    Mutex mutex;
    std::vector<int> order;
    REQUIRE(mutex.lock() == 0);
    CHECK(mutex.lock() == -EDEADLK);
    for (int i = 0; i < 3; ++i) {
      scope.spawn([&, i] {
        Lock lock(mutex);
        CHECK(lock);
        CHECK(mutex.owner() == current());
        order.push_back(i);
        CHECK(yield() == 0);
        order.push_back(i);
      });
    }
    Task late = scope.spawn([&] { CHECK(mutex.lock(2ms) == -ETIMEDOUT); });
    Task victim = scope.spawn([&] { CHECK(mutex.lock() == -ECANCELED); });
    CHECK(late.join() == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    CHECK(order.empty());
    mutex.unlock();
    CHECK_FALSE(mutex.try_lock());
    CHECK(scope.join() == 0);
    CHECK(order == std::vector{0, 0, 1, 1, 2, 2});
    CHECK(mutex.try_lock());
    mutex.unlock();
  });
}

TEST_CASE("a mutex that was handed over to a cancelled waiter is its own to give back") {
  in_coroutine([] {
    Scope scope;
    Mutex mutex;
    int locked = 1;
    REQUIRE(mutex.lock() == 0);
    Task task = scope.spawn([&] {
      locked = mutex.lock();
      if (locked == 0) mutex.unlock();
    });
    CHECK(yield() == 0);
    mutex.unlock();
    task.cancel();
    CHECK(task.join() == 0);
    CHECK(locked == 0);
    CHECK(mutex.try_lock());
    mutex.unlock();
  });
}

TEST_CASE("a condition has its mutex back, whatever the result") {
  in_coroutine([] {
    Scope scope;
    Mutex mutex;
    Condition condition;
    int ready = 0, consumed = 0;
    for (int i = 0; i < 4; ++i) {
      scope.spawn([&] {
        Lock lock(mutex);
        while (ready == 0) REQUIRE(condition.wait(mutex) == 0);
        CHECK(mutex.owner() == current());
        --ready;
        ++consumed;
      });
    }
    CHECK(yield() == 0);
    ready = 1;
    condition.notify_one();
    CHECK(sleep_for(1ms) == 0);
    CHECK(consumed == 1);
    ready = 3;
    condition.notify_all();
    CHECK(scope.join() == 0);
    CHECK(consumed == 4);

    Lock lock(mutex);
    CHECK(condition.wait(mutex, 2ms) == -ETIMEDOUT);
    CHECK(mutex.owner() == current());
    Task victim = scope.spawn([&] {
      REQUIRE(mutex.lock() == 0);
      CHECK(condition.wait(mutex) == -ECANCELED);
      CHECK(mutex.owner() == current());
      mutex.unlock();
    });
    mutex.unlock();
    CHECK(sleep_for(1ms) == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    REQUIRE(mutex.lock() == 0);
  });
}

TEST_CASE("a semaphore bounds how many are inside, and loses no unit to timeouts and cancels") {
  in_coroutine([] {
    Scope scope;
    Semaphore semaphore(3);
    int inside = 0, most = 0;
    for (int i = 0; i < 20; ++i) {
      scope.spawn([&] {
        REQUIRE(semaphore.acquire() == 0);
        most = std::max(most, ++inside);
        CHECK(sleep_for(100us) == 0);
        --inside;
        semaphore.release();
      });
    }
    CHECK(scope.join() == 0);
    CHECK(most == 3);
    CHECK(semaphore.count() == 3);
    for (int i = 0; i < 3; ++i) CHECK(semaphore.try_acquire());
    CHECK_FALSE(semaphore.try_acquire());
    CHECK(semaphore.acquire(1ms) == -ETIMEDOUT);
    Task victim = scope.spawn([&] { CHECK(semaphore.acquire() == -ECANCELED); });
    CHECK(yield() == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    semaphore.release();
    CHECK(semaphore.count() == 1);
  });
}

TEST_CASE("a channel keeps order and bound") {
  in_coroutine([] {
    Scope scope;
    Channel<std::unique_ptr<int>> channel(4);
    scope.spawn([&] {
      for (int i = 0; i < 100; ++i) {
        CHECK(channel.send(std::make_unique<int>(i)) == 0);
        CHECK(channel.size() <= 4);
      }
      channel.close();
      CHECK(channel.send(nullptr) == -EPIPE);
    });
    std::unique_ptr<int> value;
    for (int i = 0; i < 100; ++i) {
      REQUIRE(channel.receive(value) == 0);
      CHECK(*value == i);
    }
    CHECK(channel.receive(value) == -EPIPE);
  });
}

TEST_CASE("channel waits time out, are cancelled, and end with the channel") {
  in_coroutine([] {
    Scope scope;
    Channel<int> channel(1);
    int value = 0;
    CHECK(channel.receive(value, 1ms) == -ETIMEDOUT);
    CHECK(channel.send(1) == 0);
    CHECK(channel.send(2, 1ms) == -ETIMEDOUT);
    Task sender = scope.spawn([&] { CHECK(channel.send(3) == -ECANCELED); });
    CHECK(yield() == 0);
    sender.cancel();
    CHECK(sender.join() == 0);
    CHECK(channel.receive(value) == 0);
    CHECK(value == 1);
    scope.spawn([&] {
      int received = 0;
      CHECK(channel.receive(received) == -EPIPE);
    });
    CHECK(yield() == 0);
    channel.close();
    CHECK(scope.join() == 0);
  });
}

TEST_CASE(
    "a future carries a value within a shard, times out, is cancelled, and learns of a broken "
    "promise") {
  in_coroutine([] {
    Scope scope;
    Promise<std::string> promise;
    Future<std::string> future = promise.future();
    CHECK_FALSE(future.done());
    CHECK(future.wait(1ms) == -ETIMEDOUT);
    Task victim = scope.spawn([&] { CHECK(future.wait() == -ECANCELED); });
    CHECK(yield() == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    scope.spawn([&, promise = std::move(promise)]() mutable { promise.set("value"); });
    CHECK(future.wait() == 0);
    CHECK(future.take() == "value");

    auto broken = std::make_unique<Promise<int>>();
    Future<int> never = broken->future();
    scope.spawn([&] { CHECK(never.wait() == -EPIPE); });
    CHECK(yield() == 0);
    broken.reset();
    CHECK(scope.join() == 0);
  });
}

TEST_CASE("a future carries values between shards and threads") {
  auto runtime = start_runtime({.shards = 2});
  for (int round = 0; round < 200; ++round) {
    Promise<int> there, back;
    Future<int> arrived = there.future();
    Future<int> returned = back.future();
    runtime->shard(0).spawn([&arrived, back = std::move(back)]() mutable {
      REQUIRE(arrived.wait() == 0);
      back.set(arrived.take() + 1);
    });
    runtime->shard(1).spawn([there = std::move(there), round]() mutable {
      if (round % 3 == 0) sleep_for(10us);
      there.set(round);
    });
    REQUIRE(returned.wait() == 0);
    CHECK(returned.take() == round + 1);
  }
  Promise<int> from_thread;
  Future<int> future = from_thread.future();
  CHECK(future.wait(1ms) == -ETIMEDOUT);
  std::thread thread([promise = std::move(from_thread)]() mutable { promise.set(3); });
  runtime->shard(1).run([&] {
    CHECK(future.wait() == 0);
    CHECK(future.take() == 3);
  });
  thread.join();
  CHECK(runtime->shutdown(1s, 5s));
}

TEST_CASE("timeouts race with values between shards and nothing is lost") {
  auto runtime = start_runtime({.shards = 2});
  int timed_out = 0, got = 0;
  for (int round = 0; round < 300; ++round) {
    Promise<int> promise;
    Future<int> future = promise.future();
    runtime->shard(1).spawn([promise = std::move(promise), round]() mutable {
      sleep_for(std::chrono::microseconds(round % 60));
      promise.set(round);
    });
    runtime->shard(0).run([&] {
      const int result = future.wait(30us);
      if (result == -ETIMEDOUT) {
        ++timed_out;
        CHECK(future.wait() == 0);
      } else {
        CHECK(result == 0);
      }
      CHECK(future.take() == round);
      ++got;
    });
  }
  CHECK(got == 300);
  MESSAGE(timed_out << " of 300 timed out first");
  CHECK(runtime->shutdown(1s, 5s));
}

}  // namespace krait::io
