// Files, pipes, poll and the blocking pool; on each level of kernel support.
#include <dirent.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "io/blocking.hpp"
#include "io/file.hpp"
#include "io/ring.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

namespace {

template <typename Body>
void at_each_level(Body body) {
  for (unsigned level = 0; level <= Ring::MaxLevel; ++level) {
    CAPTURE(level);
    in_coroutine([&] { body(); }, {.shards = 1, .ring_level = level});
  }
}

}  // namespace

TEST_CASE("files are written, read, synced, measured, renamed, listed and removed") {
  at_each_level([] {
    TemporaryDirectory directory;
    const std::string path = directory / "file";
    const int fd = openat(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(fd >= 0);
    CHECK(openat(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600) == -EEXIST);
    CHECK(write(fd, "hello ", 6) == 6);
    CHECK(write(fd, "world", 5) == 5);
    CHECK(pwrite(fd, "W", 1, 6) == 1);
    CHECK(fsync(fd) == 0);
    CHECK(fdatasync(fd) == 0);
    char buffer[32] = {};
    CHECK(read(fd, buffer, sizeof buffer) == 0);
    CHECK(pread(fd, buffer, sizeof buffer, 0) == 11);
    CHECK(std::string(buffer) == "hello World");
    char left[3], right[16] = {};
    const iovec in[] = {{left, 3}, {right, 16}};
    CHECK(preadv(fd, in, 3) == 8);
    CHECK(std::string(left, 3) + right == "lo World");
    iovec out[] = {{left, 3}, {right, 2}};
    CHECK(pwritev(fd, out, 20) == 5);
    struct statx info;
    CHECK(statx(AT_FDCWD, path.c_str(), 0, STATX_SIZE, info) == 0);
    CHECK(info.stx_size == 25);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, info) == 0);
    CHECK(ftruncate(fd, 5) == 0);
    CHECK(fallocate(fd, 0, 0, 100) == 0);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, info) == 0);
    CHECK(info.stx_size == 100);
    CHECK(close(fd) == 0);
    CHECK(close(fd) == -EBADF);

    CHECK(renameat(AT_FDCWD, path.c_str(), AT_FDCWD, (directory / "renamed").c_str()) == 0);
    CHECK(mkdirat(AT_FDCWD, (directory / "sub").c_str(), 0700) == 0);
    CHECK(linkat(AT_FDCWD, (directory / "renamed").c_str(), AT_FDCWD,
                 (directory / "linked").c_str()) == 0);
    CHECK(symlinkat("renamed", AT_FDCWD, (directory / "symbolic").c_str()) == 0);
    auto entries = read_directory(AT_FDCWD, directory.path().c_str());
    REQUIRE(entries);
    std::sort(entries->begin(), entries->end(), [](auto& a, auto& b) { return a.name < b.name; });
    REQUIRE(entries->size() == 4);
    CHECK((*entries)[0].name == "linked");
    CHECK((*entries)[1].name == "renamed");
    CHECK((*entries)[0].inode == (*entries)[1].inode);
    CHECK((*entries)[2].type == DT_DIR);
    CHECK((*entries)[3].type == DT_LNK);
    CHECK(unlinkat(AT_FDCWD, (directory / "sub").c_str()) == -EISDIR);
    CHECK(unlinkat(AT_FDCWD, (directory / "sub").c_str(), AT_REMOVEDIR) == 0);
    CHECK(unlinkat(AT_FDCWD, (directory / "linked").c_str()) == 0);
    CHECK(unlinkat(AT_FDCWD, (directory / "linked").c_str()) == -ENOENT);
    CHECK_FALSE(read_directory(AT_FDCWD, (directory / "sub").c_str()));
  });
}

TEST_CASE("openat2 keeps a path beneath its directory") {
  in_coroutine([] {
    TemporaryDirectory directory;
    const int fd = openat(AT_FDCWD, directory.path().c_str(), O_PATH | O_DIRECTORY);
    REQUIRE(fd >= 0);
    open_how how = {};
    how.flags = O_RDONLY;
    how.resolve = RESOLVE_BENEATH;
    CHECK(openat2(fd, "../../etc/passwd", how) == -EXDEV);
    CHECK(openat2(fd, "/etc/passwd", how) == -EXDEV);
    CHECK(close(fd) == 0);
  });
}

TEST_CASE("a pipe's reader parks until there is something, and the end") {
  at_each_level([] {
    Pipe pipe;
    Scope scope;
    char buffer[16] = {};
    int got = 1, end = 1;
    Task reader = scope.spawn([&] {
      got = read(pipe.read_end, buffer, sizeof buffer);
      end = read(pipe.read_end, buffer, sizeof buffer);
    });
    CHECK(sleep_for(2ms) == 0);
    CHECK(got == 1);
    const iovec parts[] = {{const_cast<char*>("pi"), 2}, {const_cast<char*>("pe"), 2}};
    CHECK(writev(pipe.write_end, parts) == 4);
    while (got == 1) CHECK(sleep_for(100us) == 0);
    CHECK(got == 4);
    CHECK(std::string(buffer) == "pipe");
    Pipe::close_one(pipe.write_end);
    CHECK(reader.join() == 0);
    CHECK(end == 0);
  });
}

TEST_CASE(
    "operations in flight time out and are cancelled, and the kernel has let go of their memory by "
    "then") {
  at_each_level([] {
    Pipe pipe;
    Scope scope;
    for (int round = 0; round < 50; ++round) {
      auto buffer = std::make_unique<char[]>(4096);
      CHECK(read(pipe.read_end, buffer.get(), 4096, std::chrono::microseconds(round * 10)) ==
            -ETIMEDOUT);
    }
    for (int round = 0; round < 50; ++round) {
      int result = 0;
      Task task = scope.spawn([&] {
        char on_stack[4096];
        result = read(pipe.read_end, on_stack, sizeof on_stack);
      });
      for (int turns = 0; turns < round % 4; ++turns) CHECK(yield() == 0);
      if (round % 5 == 0) CHECK(sleep_for(100us) == 0);
      task.cancel();
      CHECK(task.join() == 0);
      CHECK(result == -ECANCELED);
    }
    // Nobody's left over read may steal what comes now.
    char byte = 0;
    CHECK(write(pipe.write_end, "x", 1) == 1);
    CHECK(read(pipe.read_end, &byte, 1, 1s) == 1);
    CHECK(byte == 'x');
  });
}

TEST_CASE("a timeout of nothing still takes what is there") {
  in_coroutine([] {
    Pipe pipe;
    char byte = 0;
    CHECK(read(pipe.read_end, &byte, 1, 0ns) == -ETIMEDOUT);
    CHECK(write(pipe.write_end, "x", 1) == 1);
    CHECK(read(pipe.read_end, &byte, 1, 0ns) == 1);
  });
}

TEST_CASE("poll waits for readiness, for one descriptor and for many") {
  at_each_level([] {
    Pipe first, second;
    Scope scope;
    CHECK(poll(first.read_end, POLLIN, 2ms) == -ETIMEDOUT);
    CHECK(poll(first.write_end, POLLOUT) == POLLOUT);
    CHECK(poll(-1, POLLIN) == -EBADF);
    struct pollfd fds[] = {
        {first.read_end, POLLIN, 0}, {second.read_end, POLLIN, 0}, {-1, POLLIN, 7}};
    CHECK(poll(fds, 2ms) == -ETIMEDOUT);
    CHECK(fds[0].revents == 0);
    scope.spawn([&] {
      sleep_for(1ms);
      CHECK(write(second.write_end, "x", 1) == 1);
    });
    CHECK(poll(fds) == 1);
    CHECK(fds[0].revents == 0);
    CHECK(fds[1].revents == POLLIN);
    CHECK(fds[2].revents == 0);
    CHECK(scope.join() == 0);
    struct pollfd bad[] = {{first.read_end, POLLIN, 0}, {9999, POLLIN, 0}};
    CHECK(poll(bad) == 1);
    CHECK(bad[1].revents == POLLNVAL);
    Task victim = scope.spawn([&] {
      struct pollfd fd = {first.read_end, POLLIN, 0};
      CHECK(poll(std::span(&fd, 1)) == -ECANCELED);
    });
    CHECK(sleep_for(1ms) == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    struct pollfd none = {-1, POLLIN, 0};
    CHECK(poll(std::span(&none, 1), 2ms) == -ETIMEDOUT);
    Pipe::close_one(first.write_end);
    CHECK(poll(first.read_end, POLLIN) == POLLHUP);
  });
}

TEST_CASE("blocking work runs beside the shard") {
  in_coroutine(
      [] {
        Scope scope;
        const auto shard_thread = std::this_thread::get_id();
        std::atomic<bool> begun{false}, release{false};
        std::thread::id worker;
        Task blocked = scope.spawn([&] {
          CHECK(offload([&] {
                  worker = std::this_thread::get_id();
                  begun = true;
                  release.wait(false);
                }) == 0);
        });
        while (!begun) CHECK(sleep_for(100us) == 0);
        // A cancel must wait for the end of what has begun.
        blocked.cancel();
        CHECK(sleep_for(2ms) == 0);
        CHECK_FALSE(blocked.done());
        // The one thread is taken: this has not begun, and never will.
        bool ran = false;
        CHECK(offload([&] { ran = true; }, 2ms) == -ETIMEDOUT);
        release.store(true);
        release.notify_all();
        CHECK(blocked.join() == 0);
        CHECK(worker != shard_thread);
        CHECK_FALSE(ran);
      },
      {.shards = 1, .blocking_threads = 1});
}

}  // namespace krait::io
