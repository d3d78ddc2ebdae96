// Files, pipes, poll and the blocking pool; on each level of kernel support.
#include <dirent.h>
#include <liburing.h>
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

namespace {

/// Every call on files once, with what it must give.
void use_files() {
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
  CHECK(ftruncate(fd, uint64_t{1} << 63) == -EINVAL);
  CHECK(fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
  CHECK(fadvise(fd, 0, uint64_t{1} << 33, POSIX_FADV_NORMAL) == 0);
  CHECK(fadvise(fd, 0, 0, 77) == -EINVAL);
  const timespec times[2] = {{7, 8}, {9, 10}};
  CHECK(utimensat(fd, nullptr, times) == 0);
  CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, info) == 0);
  CHECK(info.stx_mtime.tv_sec == 9);
  CHECK(info.stx_mtime.tv_nsec == 10);
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
  char target[4];
  CHECK(readlinkat(AT_FDCWD, (directory / "symbolic").c_str(), target) == 4);
  CHECK(std::string(target, 4) == "rena");
  CHECK(readlinkat(AT_FDCWD, (directory / "renamed").c_str(), target) == -EINVAL);
  CHECK(utimensat(AT_FDCWD, (directory / "none").c_str(), times) == -ENOENT);
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
}

/// The operations that io/ has another way for.
constexpr unsigned Optional[] = {IORING_OP_FALLOCATE, IORING_OP_UNLINKAT, IORING_OP_MKDIRAT,
                                 IORING_OP_RENAMEAT,  IORING_OP_LINKAT,   IORING_OP_SYMLINKAT,
                                 IORING_OP_FADVISE,   IORING_OP_SHUTDOWN, IORING_OP_MSG_RING,
                                 IORING_OP_SOCKET,    IORING_OP_SEND_ZC,  55 /* FTRUNCATE */};

uint64_t bit(unsigned opcode) { return uint64_t{1} << opcode; }

}  // namespace

TEST_CASE("files are written, read, synced, measured, renamed, listed and removed") {
  at_each_level([] { use_files(); });
}

TEST_CASE("what the ring lacks has another way") {
  uint64_t all = 0;
  for (const unsigned opcode : Optional) {
    CAPTURE(opcode);
    all |= bit(opcode);
    in_coroutine(use_files, {.shards = 1, .ring_without = bit(opcode)});
  }
  in_coroutine(use_files, {.shards = 1, .ring_level = Ring::MaxLevel, .ring_without = all});
}

TEST_CASE("a ring without what io cannot do without is refused, by name") {
  const std::pair<unsigned, const char*> required[] = {
      {IORING_OP_READ, " READ"},       {IORING_OP_WRITE, " WRITE"},
      {IORING_OP_READV, " READV"},     {IORING_OP_WRITEV, " WRITEV"},
      {IORING_OP_FSYNC, " FSYNC"},     {IORING_OP_POLL_ADD, " POLL_ADD"},
      {IORING_OP_ACCEPT, " ACCEPT"},   {IORING_OP_ASYNC_CANCEL, " ASYNC_CANCEL"},
      {IORING_OP_CONNECT, " CONNECT"}, {IORING_OP_OPENAT2, " OPENAT2"},
      {IORING_OP_CLOSE, " CLOSE"},     {IORING_OP_STATX, " STATX"},
      {IORING_OP_SEND, " SEND"},       {IORING_OP_RECV, " RECV"},
      {IORING_OP_SENDMSG, " SENDMSG"}, {IORING_OP_RECVMSG, " RECVMSG"}};
  for (const auto& [opcode, name] : required) {
    const auto started = Runtime::start({.shards = 1, .ring_without = bit(opcode)});
    REQUIRE_FALSE(started);
    CHECK(started.error().message == std::string("this kernel's io_uring is too old, it lacks") + name);
  }
}

namespace {

using Call = int (*)(const std::string& path, int fd, Deadline deadline);

/// Each primitive, on a file that is there, with all that the kernel writes to on the stack.
constexpr Call Calls[] = {
    [](const std::string& path, int, Deadline deadline) {
      const int fd = openat(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0600, deadline);
      return fd >= 0 ? ::close(fd) : fd;
    },
    [](const std::string&, int fd, Deadline deadline) {
      char buffer[4096];
      return std::min(0, pread(fd, buffer, sizeof buffer, 0, deadline));
    },
    [](const std::string&, int fd, Deadline deadline) {
      const char buffer[4096] = {};
      return std::min(0, pwrite(fd, buffer, sizeof buffer, 0, deadline));
    },
    [](const std::string&, int fd, Deadline deadline) { return fsync(fd, deadline); },
    [](const std::string&, int fd, Deadline deadline) { return fdatasync(fd, deadline); },
    [](const std::string&, int fd, Deadline deadline) { return ftruncate(fd, 100, deadline); },
    [](const std::string&, int fd, Deadline deadline) { return fallocate(fd, 0, 0, 99, deadline); },
    [](const std::string&, int fd, Deadline deadline) {
      return fadvise(fd, 0, 0, POSIX_FADV_WILLNEED, deadline);
    },
    [](const std::string& path, int, Deadline deadline) {
      struct statx info;
      return statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, info, deadline);
    },
    [](const std::string& path, int, Deadline deadline) {
      const int error = mkdirat(AT_FDCWD, (path + ".d").c_str(), 0700, deadline);
      return error == -EEXIST ? 0 : error;
    },
    [](const std::string& path, int, Deadline deadline) {
      const int error = linkat(AT_FDCWD, path.c_str(), AT_FDCWD, (path + ".l").c_str(), 0, deadline);
      return error == -EEXIST ? 0 : error;
    },
    [](const std::string& path, int, Deadline deadline) {
      const int error = symlinkat("target", AT_FDCWD, (path + ".s").c_str(), deadline);
      return error == -EEXIST ? 0 : error;
    },
    [](const std::string& path, int, Deadline deadline) {
      char target[64];
      const int got = readlinkat(AT_FDCWD, (path + ".s").c_str(), target, deadline);
      return got == -ENOENT ? 0 : std::min(0, got);
    },
    [](const std::string& path, int, Deadline deadline) {
      const timespec times[2] = {{1, 1}, {1, 1}};
      return utimensat(AT_FDCWD, path.c_str(), times, 0, deadline);
    },
    [](const std::string& path, int, Deadline deadline) {
      const int error = renameat(AT_FDCWD, (path + ".d").c_str(), AT_FDCWD, (path + ".e").c_str(), 0, deadline);
      return error == -ENOENT ? 0 : error;
    },
    [](const std::string& path, int, Deadline deadline) {
      const int error = unlinkat(AT_FDCWD, (path + ".l").c_str(), 0, deadline);
      return error == -ENOENT ? 0 : error;
    },
    [](const std::string& path, int, Deadline deadline) {
      const int folder = ::open(std::filesystem::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      std::byte entries[1024];
      const int got = getdents(folder, entries, deadline);
      ::close(folder);
      return std::min(0, got);
    },
};

}  // namespace

TEST_CASE("each call on files has done its work or says that it was ended, whenever that comes") {
  at_each_level([] {
    TemporaryDirectory directory;
    const std::string path = directory / "file";
    const int fd = openat(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(fd >= 0);
    Scope scope;
    for (size_t i = 0; i < std::size(Calls); ++i) {
      CAPTURE(i);
      CHECK(Calls[i](path, fd, {}) == 0);
      for (int round = 0; round < 8; ++round) {
        const int timed = Calls[i](path, fd, std::chrono::microseconds(round * 5));
        CHECK((timed == 0 || timed == -ETIMEDOUT));
        int cut = 1;
        Task task = scope.spawn([&] { cut = Calls[i](path, fd, {}); });
        for (int turns = 0; turns < round % 4; ++turns) CHECK(yield() == 0);
        task.cancel();
        CHECK(task.join() == 0);
        CHECK((cut == 0 || cut == -ECANCELED));
      }
      int never = 1;
      Task cancelled = scope.spawn([&] { never = Calls[i](path, fd, {}); });
      cancelled.cancel();  // before it has begun
      CHECK(cancelled.join() == 0);
      CHECK(never == -ECANCELED);
    }
    CHECK(close(fd) == 0);
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
