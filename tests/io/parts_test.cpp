// The parts that need no running shard: stacks, timers, closures, deadlines, the ring's set-up.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "io/closure.hpp"
#include "io/ring.hpp"
#include "io/stack_pool.hpp"
#include "io/timer_heap.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

namespace {

size_t resident_pages(const Stack& stack) {
  std::vector<unsigned char> pages(stack.size() / 4096);
  REQUIRE(mincore(stack.limit, stack.size(), pages.data()) == 0);
  size_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count;
}

}  // namespace

TEST_CASE(
    "stacks are large, reused last in first out, and trimmed to their top when nobody needs them") {
  StackPool pool({.stack_size = 8 << 20, .resident = 64 << 10});
  const Stack deep = pool.acquire();
  const Stack shallow = pool.acquire();
  REQUIRE(deep);
  REQUIRE(shallow);
  CHECK(deep.size() >= 8 << 20);
  CHECK(resident_pages(deep) == 0);
  std::memset(deep.limit, 1, deep.size());
  std::memset(shallow.base - 32768, 1, 32768);
  CHECK(resident_pages(deep) == deep.size() / 4096);
  pool.release(deep);
  pool.release(shallow);
  CHECK(pool.idle() == 2);
  CHECK(pool.deep() == 1);
  CHECK(pool.needs_tending());
  // The deep one is the one to reuse, and is not trimmed while it is in use now and then.
  pool.tend();
  CHECK(pool.acquire().base == deep.base);
  pool.release(deep);
  pool.tend();
  CHECK(pool.deep() == 1);
  pool.tend();
  CHECK(pool.deep() == 0);
  CHECK_FALSE(pool.needs_tending());
  CHECK(resident_pages(deep) == 15);
  CHECK(deep.base[-1] == std::byte{1});
  CHECK(pool.acquire().base == deep.base);
  pool.release(deep);
  CHECK(pool.deep() == 0);
}

TEST_CASE(
    "idle stacks are bounded in number and in what they hold, and go when nobody needs them") {
  StackPool pool({.stack_size = 1 << 20, .resident = 4096, .keep_idle = 10, .max_idle = 500});
  std::vector<Stack> stacks;
  for (int i = 0; i < 600; ++i) {
    stacks.push_back(pool.acquire());
    std::memset(stacks.back().base - 16384, 1, 16384);
  }
  CHECK(pool.mapped() == 600);
  for (const Stack& stack : stacks) pool.release(stack);
  CHECK(pool.mapped() == 500);
  CHECK(pool.idle() == 500);
  CHECK(pool.deep() <= 64);
  size_t resident = 0;
  for (size_t i = 0; i < 500; ++i) resident += resident_pages(stacks[i]);
  CHECK(resident == 4 * pool.deep());
  int tended = 0;
  for (; pool.needs_tending(); ++tended) pool.tend();
  CHECK(pool.mapped() == 10);
  CHECK(tended >= 8);  // never all at once
}

TEST_CASE("a stack ends in a guard") {
  StackPool pool({.stack_size = 65536});
  const Stack stack = pool.acquire();
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, [](int) { _exit(42); });
    std::signal(SIGBUS, [](int) { _exit(42); });
    *reinterpret_cast<volatile char*>(stack.limit) = 1;
    *reinterpret_cast<volatile char*>(stack.limit - 1) = 1;
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
  pool.release(stack);
}

TEST_CASE("the timer heap agrees with a sorted map") {
  std::mt19937 random(7);
  TimerHeap heap;
  std::vector<Timer> timers(300);
  std::multimap<int64_t, Timer*> model;
  for (int step = 0; step < 20000; ++step) {
    Timer& timer = timers[random() % timers.size()];
    if (timer.armed()) {
      heap.disarm(timer);
      for (auto it = model.begin(); it != model.end(); ++it) {
        if (it->second == &timer) {
          model.erase(it);
          break;
        }
      }
    } else {
      const int64_t at = random() % 1000;
      heap.arm(timer, at);
      model.emplace(at, &timer);
    }
    REQUIRE(heap.empty() == model.empty());
    if (!model.empty()) REQUIRE(heap.next() == model.begin()->first);
  }
}

TEST_CASE("closures own what they capture, small or large") {
  auto counted = std::make_shared<int>(0);
  struct Large {
    char bytes[200] = {};
  };
  {
    Closure small([counted] { ++*counted; });
    Closure large([counted, large = Large()] { *counted += 10 + large.bytes[0]; });
    Closure only_movable([p = std::make_unique<int>(5), counted] { *counted += *p; });
    CHECK(counted.use_count() == 4);
    Closure moved = std::move(small);
    CHECK_FALSE(small);
    moved();
    Closure& same = large;
    large = std::move(same);
    Closure other = std::move(large);
    other();
    only_movable();
    CHECK(*counted == 16);
    moved = std::move(other);
    CHECK(counted.use_count() == 3);
  }
  CHECK(counted.use_count() == 1);
}

TEST_CASE("deadlines saturate") {
  CHECK(Deadline().is_never());
  CHECK(Deadline(std::chrono::nanoseconds::max()).is_never());
  CHECK_FALSE(Deadline(1h).passed());
  CHECK(Deadline(-1s).passed());
  CHECK(Deadline(std::chrono::nanoseconds::min()).passed());
  CHECK(Deadline::at(5).earlier(Deadline::at(3)).ns() == 3);
}

TEST_CASE("the ring can be had at every level of kernel support") {
  for (unsigned level = 0; level <= Ring::MaxLevel; ++level) {
    auto ring = Ring::create(8, level);
    REQUIRE(ring);
    CHECK((*ring)->level() >= level);
    CHECK((*ring)->supports(IORING_OP_RECV));
  }
}

namespace {

/// The error of Runtime::start in a process whose io_uring_setup fails with `error`.
std::string start_error_when_setup_fails_with(int error) {
  Pipe pipe;
  const pid_t child = fork();
  if (child == 0) {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program = {std::size(filter), filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(1);
    auto runtime = Runtime::start({.shards = 2});
    const std::string message = runtime ? "started" : runtime.error().message;
    _exit(::write(pipe.write_end, message.data(), message.size()) < 0);
  }
  Pipe::close_one(pipe.write_end);
  char message[500] = {};
  CHECK(::read(pipe.read_end, message, sizeof message - 1) > 0);
  waitpid(child, nullptr, 0);
  return message;
}

}  // namespace

TEST_CASE("where there is no io_uring the start says why, in one line") {
  CHECK(start_error_when_setup_fails_with(EPERM).find("io_uring is forbidden") == 0);
  CHECK(start_error_when_setup_fails_with(ENOSYS).find("this kernel has no io_uring") == 0);
  CHECK(start_error_when_setup_fails_with(ENOMEM).find("ulimit -l") != std::string::npos);
  CHECK(start_error_when_setup_fails_with(EINVAL).find("cannot be set up: Invalid argument") !=
        std::string::npos);
  CHECK(start_error_when_setup_fails_with(EPERM).find('\n') == std::string::npos);
}

TEST_CASE("more submissions than the ring holds") {
  struct Count final : Completion {
    void on_complete(int, uint32_t) override { ++count; }
    int count = 0;
  } counter;
  for (unsigned level = 0; level <= Ring::MaxLevel; ++level) {
    auto ring = Ring::create(4, level);
    REQUIRE(ring);
    counter.count = 0;
    for (int i = 0; i < 1000; ++i) {
      io_uring_sqe* sqe = (*ring)->prepare();
      io_uring_prep_nop(sqe);
      Ring::set_completion(sqe, &counter);
    }
    while (counter.count < 1000) {
      (*ring)->enter(true, Deadline(1s));
      if ((*ring)->reap() == 0) break;
    }
    CHECK(counter.count == 1000);
  }
}

}  // namespace krait::io
