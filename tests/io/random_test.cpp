// Random programs of waits, timeouts and cancels over pipes, locks, channels and futures. What must
// hold: every byte that was written is read once, every unit comes back, every coroutine ends.
// KRAIT_SEED replays a run.
#include <poll.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "io/channel.hpp"
#include "io/file.hpp"
#include "io/future.hpp"
#include "io/sync.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

namespace {

struct World {
  Pipe pipes[4];
  Mutex mutex;
  Condition condition;
  Semaphore semaphore{3};
  Channel<int> channel{5};
  uint64_t written = 0, read = 0, sent = 0, received = 0;
  int inside = 0;
};

class Actor {
 public:
  Actor(World& world, uint32_t seed) : world_(world), random_(seed) {}

  void run(int steps, int depth) {
    for (int i = 0; i < steps && !current()->cancelled(); ++i) step(depth);
  }

 private:
  Deadline some_deadline() {
    switch (random_() % 4) {
      case 0:
        return Deadline();
      case 1:
        return Deadline(0ns);
      default:
        return Deadline(std::chrono::microseconds(random_() % 500));
    }
  }
  Deadline short_deadline() { return Deadline(std::chrono::microseconds(random_() % 500)); }

  void step(int depth) {
    Pipe& pipe = world_.pipes[random_() % 4];
    char buffer[64] = {};
    switch (random_() % 10) {
      case 0:
        sleep_until(short_deadline());
        break;
      case 1:
        yield();
        break;
      case 2: {
        const int got =
            read(pipe.read_end, buffer, 1 + random_() % sizeof buffer, short_deadline());
        if (got > 0)
          world_.read += static_cast<uint64_t>(got);
        else
          CHECK((got == -ETIMEDOUT || got == -ECANCELED));
        break;
      }
      case 3: {
        const int put =
            write(pipe.write_end, buffer, 1 + random_() % sizeof buffer, short_deadline());
        if (put > 0) world_.written += static_cast<uint64_t>(put);
        break;
      }
      case 4: {
        Lock lock(world_.mutex, some_deadline());
        if (!lock) break;
        CHECK(++world_.inside == 1);
        yield();
        --world_.inside;
        if (random_() % 2)
          world_.condition.wait(world_.mutex, short_deadline());
        else
          world_.condition.notify_all();
        break;
      }
      case 5:
        if (world_.semaphore.acquire(some_deadline()) == 0) {
          sleep_until(short_deadline());
          world_.semaphore.release();
        }
        break;
      case 6:
        if (world_.channel.send(1, short_deadline()) == 0) ++world_.sent;
        break;
      case 7: {
        int value = 0;
        if (world_.channel.receive(value, short_deadline()) == 0) ++world_.received;
        break;
      }
      case 8: {
        struct pollfd fds[4];
        for (int i = 0; i < 4; ++i) fds[i] = {world_.pipes[i].read_end, POLLIN, 0};
        poll(fds, short_deadline());
        break;
      }
      default:
        children(depth);
        break;
    }
  }

  void children(int depth) {
    if (depth == 0) return;
    Scope scope;
    std::vector<Task> tasks;
    for (uint32_t i = 0, count = random_() % 4; i < count; ++i) {
      tasks.push_back(scope.spawn([this, seed = random_(), depth] {
        Actor(world_, static_cast<uint32_t>(seed)).run(6, depth - 1);
      }));
    }
    scope.join(short_deadline());
    if (!tasks.empty() && random_() % 2) tasks[random_() % tasks.size()].cancel();
    if (random_() % 2) scope.join(some_deadline());
  }

  World& world_;
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("random waits, timeouts and cancels lose nothing and end") {
  const char* given = std::getenv("KRAIT_SEED");
  const uint32_t first = given ? static_cast<uint32_t>(std::atoi(given)) : 1;
  for (uint32_t seed = first; seed < first + (given ? 1 : 20); ++seed) {
    CAPTURE(seed);
    in_coroutine([seed] {
      World world;
      {
        Scope scope;
        for (uint32_t i = 0; i < 30; ++i) {
          scope.spawn([&world, seed, i] { Actor(world, seed * 1000 + i).run(20, 3); });
        }
        std::mt19937 random(seed);
        if (random() % 2) {
          sleep_for(std::chrono::microseconds(random() % 5000));
        } else {
          scope.join(Deadline(2s));
        }
      }
      CHECK(world.inside == 0);
      CHECK(world.mutex.owner() == nullptr);
      CHECK(world.semaphore.count() == 3);
      for (int value; world.channel.size() > 0;) {
        REQUIRE(world.channel.receive(value) == 0);
        ++world.received;
      }
      CHECK(world.sent == world.received);
      char buffer[256];
      for (Pipe& pipe : world.pipes) {
        for (int got; (got = read(pipe.read_end, buffer, sizeof buffer, 0ns)) > 0;)
          world.read += static_cast<uint64_t>(got);
      }
      CHECK(world.written == world.read);
    });
  }
}

TEST_CASE("a promise set just as its future is given up, between shards") {
  auto runtime = start_runtime({.shards = 2});
  for (int round = 0; round < 200; ++round) {
    runtime->shard(0).run([&] {
      Scope scope;
      Promise<int> promise;
      Future<int> future = promise.future();
      runtime->shard(1).spawn([promise = std::move(promise)]() mutable { promise.set(1); });
      Task waiter = scope.spawn([&] {
        const int result = future.wait();
        CHECK((result == 0 || result == -ECANCELED));
      });
      for (int i = 0; i < round % 7; ++i) yield();
      waiter.cancel();
      CHECK(waiter.join() == 0);
    });
  }
  CHECK(runtime->shutdown(1s, 5s));
}

}  // namespace krait::io
