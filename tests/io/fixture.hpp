// What the tests of io/ share.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "io/runtime.hpp"

namespace krait::io {

using namespace std::chrono_literals;

inline std::unique_ptr<Runtime> start_runtime(Options options = {.shards = 1}) {
  auto runtime = Runtime::start(options);
  REQUIRE_MESSAGE(runtime, runtime.error().message);
  return std::move(*runtime);
}

/// Runs `body` in a coroutine of a runtime of one shard, and then shuts down without anything left
/// over.
inline void in_coroutine(Closure body, Options options = {.shards = 1}) {
  auto runtime = start_runtime(options);
  runtime->shard(0).run(std::move(body));
  const auto ended = runtime->shutdown(0s, 5s);
  CHECK_MESSAGE(ended, ended.error().message);
}

/// A directory that goes away with it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char pattern[] = "/tmp/krait-io-XXXXXX";
    REQUIRE(mkdtemp(pattern));
    path_ = pattern;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string operator/(const char* name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Both ends of a pipe; close() what must be closed early.
struct Pipe {
  Pipe() { REQUIRE(::pipe2(fds, O_CLOEXEC) == 0); }
  ~Pipe() {
    for (int& fd : fds) close_one(fd);
  }
  static void close_one(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int fds[2];
  int& read_end = fds[0];
  int& write_end = fds[1];
};

}  // namespace krait::io
