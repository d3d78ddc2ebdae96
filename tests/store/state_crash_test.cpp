// kill -9 at random points of processes that push state: what was acknowledged is there, nothing is torn.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "store/state.hpp"
#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;

namespace {

constexpr int Writers = 2;
constexpr uint64_t Marks = 1'000'000;

StateKey value_key(int writer) { return {"anna", "value " + std::to_string(writer)}; }
StateKey log_key() { return {"anna", "log"}; }

/// The value of a version: each of its bytes tells the version, and so does its size.
Bytes version(uint64_t i) { return Bytes(1'000 + i * 7'919 % 150'000, static_cast<std::byte>(i)); }

/// Writes version after version, each by a cut and two ranges, and an element into the log that all share; reports the number of
/// each when both are acknowledged.
[[noreturn]] void push_until_killed(const std::filesystem::path& folder, int writer, uint64_t next, int fd) {
  auto store = StateStore::open(folder);
  if (!store) ::_exit(1);
  for (;; ++next) {
    const Bytes value = version(next);
    const auto half = value.begin() + static_cast<ptrdiff_t>(value.size() / 2);
    StateChange change{value_key(writer), StateChange::What::Write, {}, value.size(), {}};
    change.ranges.push_back({value.size() / 2, Bytes(half, value.end())});
    change.ranges.push_back({0, Bytes(value.begin(), half)});
    if (!(*store)->apply(std::move(change)).ok()) ::_exit(1);
    const uint64_t mark = writer * Marks + next;
    Bytes element(sizeof mark);
    std::memcpy(element.data(), &mark, sizeof mark);
    if (!(*store)->apply({log_key(), StateChange::What::Append, {}, {}, {{0, element}}}).ok()) ::_exit(1);
    if (::write(fd, &next, sizeof next) != sizeof next) ::_exit(1);
  }
}

struct Writer {
  pid_t child = -1;
  int report = -1;
  uint64_t acknowledged = 0;  // value and element
  uint64_t found = 0;         // the value: as acknowledged, or the next one
};

/// Two writers at once, both killed at some moment.
void run_and_kill(const std::filesystem::path& folder, std::array<Writer, Writers>& writers, unsigned microseconds) {
  for (int w = 0; w < Writers; w++) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    writers[w].child = ::fork();
    REQUIRE(writers[w].child >= 0);
    if (writers[w].child == 0) push_until_killed(folder, w, writers[w].found + 1, ends[1]);
    ::close(ends[1]);
    writers[w].report = ends[0];
  }
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  for (Writer& writer : writers) ::kill(writer.child, SIGKILL);
  for (Writer& writer : writers) {
    int status = 0;
    REQUIRE(::waitpid(writer.child, &status, 0) == writer.child);
    REQUIRE(WIFSIGNALED(status));
    for (uint64_t number; ::read(writer.report, &number, sizeof number) == sizeof number;) writer.acknowledged = number;
    ::close(writer.report);
  }
}

}  // namespace

TEST_CASE("state pushed by processes that are killed at any point") {
  const Scratch scratch;
  const auto folder = scratch.path() / "state";
  std::mt19937 random(20260202);
  std::array<Writer, Writers> writers;
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    run_and_kill(folder, writers, static_cast<unsigned>(random() % 40'000));
    auto store = StateStore::open(folder);
    REQUIRE_MESSAGE(store.ok(), (store.ok() ? "" : store.error().message));
    std::array<uint64_t, Writers> logged{};
    const auto log = (*store)->read_log(log_key(), 0, UINT64_MAX, UINT64_MAX);
    REQUIRE(log.ok());
    for (const Bytes& element : *log) {
      uint64_t mark = 0;
      REQUIRE(element.size() == sizeof mark);
      std::memcpy(&mark, element.data(), sizeof mark);
      CHECK(mark % Marks > logged[mark / Marks]);
      logged[mark / Marks] = mark % Marks;
    }
    for (int w = 0; w < Writers; w++) {
      auto piece = (*store)->read(value_key(w), 0, UINT64_MAX);
      REQUIRE(piece.ok());
      CHECK(logged[w] >= writers[w].acknowledged);
      if (!piece->has_value()) {
        CHECK(writers[w].found == 0);
        continue;
      }
      uint64_t& found = writers[w].found;
      found = std::max(found, writers[w].acknowledged);
      if ((*piece)->bytes != version(found)) found++;
      CHECK((*piece)->bytes == version(found));
    }
  }
  CHECK(writers[0].acknowledged > 0);
}
