// kill -9 at random points of a process that uploads: what it reported as done is there, and nothing is half there.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "store/function_store.hpp"
#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;

namespace {

/// Version `i` of a function, recognisable as such; of many sizes.
Bytes version(uint32_t i) {
  Bytes contents = noise(100 + i * 7919 % 200'000, i);
  std::memcpy(contents.data(), &i, sizeof i);
  return contents;
}

/// Uploads version after version from `next` on, and writes the number of each into `fd` when its put() has returned.
[[noreturn]] void upload_until_killed(const std::filesystem::path& home, uint32_t next, int fd) {
  FunctionStore store(home);
  for (;; ++next) {
    if (!store.put("demo", "crash", FunctionKind::Python, version(next)).ok()) ::_exit(1);
    if (::write(fd, &next, sizeof next) != sizeof next) ::_exit(1);
  }
}

}  // namespace

TEST_CASE("an upload killed at any point leaves the last acknowledged function, or a whole newer one") {
  const Scratch scratch;
  std::mt19937 random(20260131);
  uint32_t acknowledged = 0;
  REQUIRE(FunctionStore(scratch.path()).put("demo", "crash", FunctionKind::Python, version(0)).ok());
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) upload_until_killed(scratch.path(), acknowledged + 1, ends[1]);
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    for (uint32_t number; ::read(ends[0], &number, sizeof number) == sizeof number;) acknowledged = number;
    ::close(ends[0]);

    const auto got = FunctionStore(scratch.path()).get("demo", "crash");
    REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.error().message));
    REQUIRE(got->has_value());
    uint32_t found = 0;
    std::memcpy(&found, (*got)->contents.data(), sizeof found);
    CHECK(found >= acknowledged);
    CHECK(found <= acknowledged + 1);
    CHECK((*got)->contents == version(found));
    acknowledged = found;
  }
  CHECK(acknowledged > 0);
  FunctionStore store(scratch.path());
  REQUIRE(store.put("demo", "crash", FunctionKind::Python, version(acknowledged + 1)).ok());
  CHECK(std::filesystem::is_empty(scratch.path() / "tmp"));
  CHECK(BlobStore(scratch.path() / "blobs").list()->size() == 1);
}
