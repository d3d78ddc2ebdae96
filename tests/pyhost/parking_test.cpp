// Files of this machine on a coroutine: calls park it and not its thread, on any ring, and no path leads out there either.
#include <liburing.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <utility>

#include "engine/store.hpp"
#include "pyhost/io_waiter.hpp"
#include "tests/io/fixture.hpp"
#include "tests/pyhost/files.hpp"
#include "tests/pyhost/scratch.hpp"

using namespace krait;
using namespace krait::pyhost;
using namespace krait::test;

namespace {

/// How often the calling coroutine has parked.
class Parks {
 public:
  Parks() {
    io::current()->set_user(&count_);
    io::current()->set_hooks(&Hooks);
  }
  ~Parks() { io::current()->set_hooks(nullptr); }
  Parks(const Parks&) = delete;
  Parks& operator=(const Parks&) = delete;
  /// Since the last time.
  int take() { return std::exchange(count_, 0); }

 private:
  static constexpr io::SwitchHooks Hooks = {[](void* count) { ++*static_cast<int*>(count); }, nullptr};
  int count_ = 0;
};

constexpr uint64_t WithoutPaths = 1ull << IORING_OP_UNLINKAT | 1ull << IORING_OP_MKDIRAT | 1ull << IORING_OP_RENAMEAT |
                                  1ull << IORING_OP_LINKAT | 1ull << IORING_OP_SYMLINKAT | 1ull << IORING_OP_FALLOCATE |
                                  1ull << IORING_OP_FADVISE;

template <typename Body>
void in_folder(uint64_t without, Body body) {
  io::in_coroutine(
      [&] {
        const ScratchFolder scratch;
        auto opened = open_host_directory(scratch.path(), false);
        REQUIRE_MESSAGE(opened.ok(), opened.error().message);
        body(**opened, scratch);
      },
      {.shards = 1, .ring_without = without});
}

}  // namespace

TEST_CASE("each call on files of this machine parks, through the ring or the blocking pool") {
  for (const uint64_t without : {uint64_t{0}, WithoutPaths}) {
    in_folder(without, [](Directory& d, const ScratchFolder&) {
      Parks parks;
#define PARKS(...)            \
  CHECK((__VA_ARGS__).ok());  \
  CHECK_MESSAGE(parks.take() > 0, #__VA_ARGS__)
      PARKS(d.open("f", OpenHow{.write = true, .create = true}));
      auto file = open_for(d, "f", OpenHow{.write = true});
      PARKS(file->set_size(10));
      PARKS(file->allocate(0, 20));
      PARKS(file->advise(0, 20, Advice::WillNeed));
      PARKS(file->set_times(FileTimes{1, 2}));
      PARKS(file->sync(false));
      PARKS(file->stat());
      PARKS(d.make_directory("dir"));
      PARKS(d.stat_at("dir", true));
      PARKS(d.set_times_at("f", true, FileTimes{3, 4}));
      PARKS(d.symlink("f", "soft"));
      PARKS(d.read_link("soft"));
      PARKS(d.link("f", false, d, "hard"));
      PARKS(d.link("soft", true, d, "followed"));
      PARKS(d.rename("hard", d, "dir/hard"));
      PARKS(d.list());
      PARKS(d.sync(true));
      PARKS(d.unlink("dir/hard"));
      PARKS(d.remove_directory("dir"));
#undef PARKS
      CHECK(d.stat_at("followed", false)->size == 20);
      CHECK(d.stat_at("followed", false)->mtim == 4);
      CHECK(error_of(d.remove_directory("dir")) == Errno::NoEnt);
    });
  }
}

TEST_CASE("a file server's timeout is the guest's to see, the coroutine's deadline ends the guest") {
  struct Counting final : IoWaiter {
    int ended = 0;
    void on_cancel(engine::Store&) override { ++ended; }
  };
  io::in_coroutine([] {
    engine::Store store;
    Counting waiter;
    const GuestTurn turn(waiter, store);
    const auto timed_out = [&] { return waiter.wait_with([] { return -ETIMEDOUT; }); };
    CHECK(timed_out() == -ETIMEDOUT);
    CHECK(waiter.ended == 0);
    io::current()->set_deadline(io::Deadline(std::chrono::hours(1)));
    CHECK(timed_out() == -ETIMEDOUT);
    CHECK(waiter.ended == 0);
    io::current()->set_deadline(io::Deadline(std::chrono::nanoseconds(0)));
    CHECK(timed_out() == -ETIMEDOUT);
    CHECK(waiter.ended == 1);
    io::current()->set_deadline({});
  });
}

TEST_CASE("others run while a coroutine works on files") {
  in_folder(0, [](Directory& d, const ScratchFolder&) {
    io::Scope scope;
    bool done = false;
    int turns = 0;
    scope.spawn([&] {
      while (!done && io::yield() == 0) ++turns;
    });
    for (int i = 0; i < 50; ++i) {
      REQUIRE(d.make_directory("d").ok());
      REQUIRE(d.remove_directory("d").ok());
    }
    CHECK(turns > 0);  // not in each round: who is taken for computing, as on a busy machine, comes behind
    done = true;
  });
}

TEST_CASE("a cancelled coroutine's calls on files end, and leave no descriptor behind") {
  in_folder(0, [](Directory& d, const ScratchFolder& scratch) {
    scratch.write("f", "text");
    const auto open_now = [] {
      const std::filesystem::directory_iterator all("/proc/self/fd");
      return std::distance(begin(all), end(all));
    };
    const auto before = open_now();
    io::Scope scope;
    for (int round = 0; round < 100; ++round) {
      io::Task task = scope.spawn([&] {
        for (;;) {
          auto file = d.open("f", OpenHow{.write = true, .create = true, .truncate = round % 2 == 0});
          if (!file) {
            CHECK(file.error() == Errno::Canceled);
            return;
          }
          if (const auto listed = d.list(); !listed) CHECK(listed.error() == Errno::Canceled);
        }
      });
      for (int turns = 0; turns < round % 7; ++turns) io::yield();
      if (round % 5 == 0) io::sleep_for(std::chrono::microseconds(100));
      task.cancel();
      CHECK(task.join() == 0);
    }
    CHECK(open_now() == before);
  });
}

TEST_CASE("on a coroutine no path leads out of a folder, nor while one is swapped for a link") {
  in_folder(0, [](Directory&, const ScratchFolder& scratch) {
    std::filesystem::create_directories(scratch / "jail/a/deep");
    std::filesystem::create_directories(scratch / "outside");
    scratch.write("jail/a/f", "inside");
    scratch.write("outside/f", "outside");
    std::filesystem::create_symlink(scratch / "outside/f", scratch / "jail/absolute");
    std::filesystem::create_symlink("../outside/f", scratch / "jail/relative");
    std::filesystem::create_symlink("relative", scratch / "jail/chain");
    std::filesystem::create_symlink("../..", scratch / "jail/a/middle");
    std::filesystem::create_directory_symlink(scratch / "outside", scratch / "jail/b");
    auto jail = open_host_directory(scratch / "jail", false);
    REQUIRE(jail.ok());
    for (const std::string path : {"absolute", "relative", "chain", "a/middle/outside/f", "a/deep/../../../outside/f",
                                   "../outside/f", "b/f", "/etc/passwd", "a/../.."}) {
      CAPTURE(path);
      CHECK(error_of((*jail)->open(path, OpenHow{})) == Errno::NotCapable);
      CHECK(error_of((*jail)->open(path, OpenHow{.write = true, .create = true, .truncate = true})) == Errno::NotCapable);
      CHECK(error_of((*jail)->stat_at(path, true)) == Errno::NotCapable);
      CHECK(error_of((*jail)->set_times_at(path, true, FileTimes{1, 1})) == Errno::NotCapable);
    }
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
      const int at = open((scratch / "jail").c_str(), O_RDONLY | O_DIRECTORY);
      while (!stop) renameat2(at, "a", at, "b", RENAME_EXCHANGE);
      close(at);
    });
    int inside = 0;
    for (int i = 0; i < 2000; ++i) {
      const std::string text = contents(**jail, "a/f");
      CHECK(text != "outside");
      inside += text == "inside";
      (void)(*jail)->make_directory("a/made");
      (void)(*jail)->rename("a/made", **jail, "a/moved");
      (void)(*jail)->symlink("x", "a/soft");
      (void)(*jail)->link("a/f", false, **jail, "a/hard");
      (void)(*jail)->open("a/created", OpenHow{.write = true, .create = true});
      if (i % 8 == 0) {
        for (const char* name : {"a/made", "a/moved"}) (void)(*jail)->remove_directory(name);
        for (const char* name : {"a/soft", "a/hard", "a/created"}) (void)(*jail)->unlink(name);
      }
    }
    stop = true;
    swapper.join();
    CHECK(inside > 0);
    CHECK(std::distance(std::filesystem::directory_iterator(scratch / "outside"), {}) == 1);
    CHECK(scratch.read("outside/f") == "outside");
  });
}
