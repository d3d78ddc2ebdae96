// Blobs with a plain copy: unpacked once, evicted together, never half there.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "store/mapped_blobs.hpp"
#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;

namespace {

Digest key_of(const std::string& name) { return Digest::of(bytes_of(name)); }
Bytes plain(const MappedBlobs& blobs, const Digest& key) { return read_file(blobs.plain_path(key))->value_or(Bytes{}); }

}  // namespace

TEST_CASE("a plain file that is lost is unpacked again; a damaged blob is an error and no file") {
  const Scratch scratch;
  MappedBlobs blobs(scratch.path() / "code", 0);
  const Digest key = key_of("a");
  CHECK_FALSE(blobs.open(key)->has_value());
  const Bytes contents = noise(100'000, 1);
  REQUIRE(blobs.put(key, contents).ok());
  CHECK(plain(blobs, key) == contents);
  std::filesystem::remove(blobs.plain_path(key));
  CHECK(blobs.open(key)->has_value());
  CHECK(plain(blobs, key) == contents);
  std::filesystem::remove(blobs.plain_path(key));
  flip_bit(blobs.blob_path(key), 5000);
  CHECK_FALSE(blobs.open(key).ok());
  CHECK_FALSE(std::filesystem::exists(blobs.plain_path(key)));
}

TEST_CASE("a plain file that others may write is not opened") {
  const Scratch scratch;
  MappedBlobs blobs(scratch.path(), 0);
  REQUIRE(blobs.put(key_of("a"), noise(10, 1)).ok());
  std::filesystem::permissions(blobs.plain_path(key_of("a")), std::filesystem::perms(0666));
  CHECK_FALSE(blobs.open(key_of("a")).ok());
}

TEST_CASE("the cap evicts what was used longest ago, blob and plain file") {
  const Scratch scratch;
  MappedBlobs blobs(scratch.path(), 500'000);
  for (const char* name : {"a", "b"}) {
    REQUIRE(blobs.put(key_of(name), noise(100'000, 1)).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  REQUIRE(blobs.open(key_of("a"))->has_value());
  REQUIRE(blobs.put(key_of("c"), noise(100'000, 2)).ok());
  CHECK(blobs.open(key_of("a"))->has_value());
  CHECK_FALSE(blobs.open(key_of("b"))->has_value());
  CHECK_FALSE(std::filesystem::exists(blobs.plain_path(key_of("b"))));
}

TEST_CASE("the cap counts what plain files take, not their holes") {
  const Scratch scratch;
  MappedBlobs blobs(scratch.path(), 500'000);
  const Bytes holes(10'000'000);
  for (const char* name : {"a", "b", "c"}) REQUIRE(blobs.put(key_of(name), holes).ok());
  for (const char* name : {"a", "b", "c"}) CHECK(plain(blobs, key_of(name)) == holes);
  CHECK(blobs.open(key_of("a"))->has_value());
}

TEST_CASE("a writer killed at any point leaves whole plain files") {
  const Scratch scratch;
  std::mt19937 random(7);
  MappedBlobs blobs(scratch.path(), 0);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
      for (unsigned i = 0;; ++i) (void)MappedBlobs(scratch.path(), 0).put(key_of(std::to_string(i % 4)), noise(150'000, i % 4));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (unsigned i = 0; i < 4; ++i) {
      const Digest key = key_of(std::to_string(i));
      const auto file = blobs.open(key);
      REQUIRE(file.ok());
      if (file->has_value()) CHECK(plain(blobs, key) == noise(150'000, i));
    }
  }
  REQUIRE(blobs.put(key_of("last"), noise(10, 9)).ok());
  CHECK(std::filesystem::is_empty(scratch.path() / "tmp"));
}

TEST_CASE("a reader killed at any point while it unpacks leaves a whole plain file or none") {
  const Scratch scratch;
  std::mt19937 random(11);
  MappedBlobs blobs(scratch.path(), 0);
  const Digest key = key_of("a");
  const Bytes contents = noise(300'000, 3);
  REQUIRE(blobs.put(key, contents).ok());
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
      for (MappedBlobs theirs(scratch.path(), 0);;) {
        (void)theirs.remove_plain(key);
        (void)theirs.open(key);
      }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (std::filesystem::exists(blobs.plain_path(key))) CHECK(plain(blobs, key) == contents);
    const auto file = blobs.open(key);
    REQUIRE(file.ok());
    REQUIRE(file->has_value());
    CHECK(plain(blobs, key) == contents);
  }
  REQUIRE(blobs.put(key_of("last"), noise(10, 9)).ok());
  CHECK(std::filesystem::is_empty(scratch.path() / "tmp"));
}
