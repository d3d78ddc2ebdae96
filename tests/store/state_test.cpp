// The global tier of state, on disk and in memory: the same cases for both.
#include "store/state.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;

namespace {

using What = StateChange::What;

StateKey key_of(const char* key, const char* user = "anna") { return {user, key, StateKind::Value}; }

StateChange write_of(StateKey key, Bytes value) {
  const uint64_t size = value.size();
  return {std::move(key), What::Write, {}, size, {{0, std::move(value)}}};
}
StateChange range_of(StateKey key, uint64_t offset, Bytes bytes) {
  return {std::move(key), What::Write, {}, {}, {{offset, std::move(bytes)}}};
}

Bytes value_of(StateTier& tier, const StateKey& key) {
  auto piece = tier.read(key, 0, UINT64_MAX);
  REQUIRE(piece.ok());
  REQUIRE(piece->has_value());
  CHECK((*piece)->bytes.size() == (*piece)->info.size);
  return std::move((*piece)->bytes);
}

/// Both tiers, one after the other.
struct Tiers {
  Scratch scratch;
  StateOptions options{.user_bytes = 32 << 20};
  template <typename F>
  void each(F f) {
    SUBCASE("on disk") {
      auto store = StateStore::open(scratch.path() / "state", options);
      REQUIRE_MESSAGE(store.ok(), (store.ok() ? "" : store.error().message));
      f(**store);
    }
    SUBCASE("in memory") { f(*memory_state(options)); }
  }
};

}  // namespace

TEST_CASE("a value is what was written, whole and in ranges, and follows its size") {
  Tiers().each([](StateTier& tier) {
    const StateKey key = key_of("value");
    CHECK_FALSE(tier.info(key)->has_value());
    CHECK_FALSE(tier.read(key, 0, 10)->has_value());
    Bytes expected = noise(100'000, 1);
    const auto written = tier.apply(write_of(key, expected));
    REQUIRE(written.ok());
    CHECK(written->size == 100'000);
    CHECK(value_of(tier, key) == expected);

    const auto middle = tier.apply(range_of(key, 16'000, noise(50'000, 2)));
    REQUIRE(middle.ok());
    CHECK(middle->version > written->version);
    std::ranges::copy(noise(50'000, 2), expected.begin() + 16'000);
    CHECK(value_of(tier, key) == expected);
    const auto part = tier.read(key, 99'990, 100);
    CHECK((*part)->bytes == Bytes(expected.end() - 10, expected.end()));
    CHECK((*tier.read(key, 200'000, 100))->bytes.empty());

    SUBCASE("a range past the end extends it, with zeros before") {
      REQUIRE(tier.apply(range_of(key, 150'000, bytes_of("end"))).ok());
      expected.resize(150'000);
      for (const char c : {'e', 'n', 'd'}) expected.push_back(static_cast<std::byte>(c));
      CHECK(value_of(tier, key) == expected);
    }
    SUBCASE("cut and extended again it shows zeros, not what was there") {
      for (const uint64_t size : {50'001, 100'000, 16'368, 40'000, 0, 20'000}) {
        REQUIRE(tier.apply({key, What::Write, {}, size, {}}).ok());
        expected.resize(size);
        CHECK(value_of(tier, key) == expected);
      }
    }
    SUBCASE("one change may cut it, extend it and write") {
      REQUIRE(tier.apply({key, What::Write, 30'000, 60'000, {{59'998, bytes_of("four")}}}).ok());
      expected.resize(30'000);
      expected.resize(59'998);
      for (const char c : {'f', 'o', 'u', 'r'}) expected.push_back(static_cast<std::byte>(c));
      CHECK(value_of(tier, key) == expected);
    }
    SUBCASE("an empty value is a value") {
      REQUIRE(tier.apply({key, What::Write, {}, 0, {}}).ok());
      CHECK(tier.info(key)->value().size == 0);
    }
    SUBCASE("deleted it is gone, and does not shine through its successor") {
      REQUIRE(tier.apply({key, What::Delete, {}, {}, {}}).ok());
      CHECK_FALSE(tier.info(key)->has_value());
      CHECK(tier.apply({key, What::Delete, {}, {}, {}}).ok());
      const auto again = tier.apply({key, What::Write, {}, 1'000, {}});
      REQUIRE(again.ok());
      CHECK(again->version > middle->version);
      CHECK(value_of(tier, key) == Bytes(1'000));
    }
  });
}

TEST_CASE("a log keeps its elements in order beside the value") {
  Tiers().each([](StateTier& tier) {
    const StateKey key = key_of("log");
    for (int i = 0; i < 20; i++) REQUIRE(tier.apply({key, What::Append, {}, {}, {{0, bytes_of("element " + std::to_string(i))}}}).ok());
    CHECK_FALSE(tier.info(key)->has_value());
    CHECK(tier.read_log(key, 0, 100, UINT64_MAX)->size() == 20);
    CHECK(tier.read_log(key, 0, 3, UINT64_MAX)->back() == bytes_of("element 2"));
    CHECK(tier.read_log(key, 18, 100, UINT64_MAX)->front() == bytes_of("element 18"));
    CHECK(tier.read_log(key, 18, 100, UINT64_MAX)->size() == 2);
    CHECK(tier.read_log(key, 21, 100, UINT64_MAX)->empty());
    CHECK(tier.read_log(key, UINT64_MAX, UINT64_MAX, UINT64_MAX)->empty());
    CHECK(tier.read_log(key, 0, 100, 30)->size() == 4);  // the one that goes beyond is the last
    REQUIRE(tier.apply(write_of(key, bytes_of("value"))).ok());
    REQUIRE(tier.apply({key, What::ClearLog, {}, {}, {}}).ok());
    CHECK(tier.read_log(key, 0, 100, UINT64_MAX)->empty());
    CHECK(value_of(tier, key) == bytes_of("value"));
    REQUIRE(tier.apply({key, What::Append, {}, {}, {{0, {}}}}).ok());
    CHECK(tier.read_log(key, 0, 100, UINT64_MAX)->size() == 1);
    REQUIRE(tier.apply({key, What::Delete, {}, {}, {}}).ok());
    CHECK(tier.read_log(key, 0, 100, UINT64_MAX)->empty());
  });
}

TEST_CASE("users and kinds have keys of their own; a list has the prefix's") {
  Tiers().each([](StateTier& tier) {
    REQUIRE(tier.apply(write_of(key_of("a/1"), bytes_of("anna's"))).ok());
    REQUIRE(tier.apply(write_of(key_of("a/1", "bert"), bytes_of("bert's"))).ok());
    REQUIRE(tier.apply(write_of({"anna", "a/1", StateKind::File}, bytes_of("a file"))).ok());
    REQUIRE(tier.apply(write_of(key_of("a/2"), bytes_of("second"))).ok());
    REQUIRE(tier.apply(write_of(key_of(std::string("b\0\xff", 3).c_str()), {})).ok());
    REQUIRE(tier.apply({key_of("only-a-log"), What::Append, {}, {}, {{0, bytes_of("x")}}}).ok());
    CHECK(value_of(tier, key_of("a/1")) == bytes_of("anna's"));
    CHECK(value_of(tier, key_of("a/1", "bert")) == bytes_of("bert's"));
    CHECK(value_of(tier, {"anna", "a/1", StateKind::File}) == bytes_of("a file"));
    const auto all = tier.list("anna", StateKind::Value, "");
    REQUIRE(all->size() == 3);
    CHECK((*all)[1].key == "a/2");
    CHECK((*all)[1].size == 6);
    CHECK(tier.list("anna", StateKind::Value, "a/")->size() == 2);
    CHECK(tier.list("ann", StateKind::Value, "")->empty());
    CHECK(tier.list("bert", StateKind::Value, "")->size() == 1);
  });
}

TEST_CASE("a user's share is a bound, and other users have theirs") {
  Tiers().each([](StateTier& tier) {
    REQUIRE(tier.apply(write_of(key_of("big"), noise(20 << 20, 3))).ok());
    const auto refused = tier.apply(write_of(key_of("more"), noise(13 << 20, 4)));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == StateError::Kind::Full);
    CHECK(refused.error().message.find("anna") != std::string::npos);
    CHECK_FALSE(tier.info(key_of("more"))->has_value());
    CHECK_FALSE(tier.apply(range_of(key_of("big"), UINT64_MAX - 1, bytes_of("x!"))).ok());
    CHECK_FALSE(tier.apply({key_of("big"), What::Write, {}, uint64_t{1} << 40, {}}).ok());
    CHECK(tier.info(key_of("big"))->value().size == 20 << 20);
    CHECK(tier.apply(write_of(key_of("more", "bert"), noise(13 << 20, 4))).ok());
    REQUIRE(tier.apply({key_of("big"), What::Delete, {}, {}, {}}).ok());
    CHECK(tier.apply(write_of(key_of("more"), noise(13 << 20, 4))).ok());
    for (const StateKey& bad : {key_of(""), key_of("k", "no/user"), key_of(std::string(MaxStateKeyBytes + 1, 'k').c_str())})
      CHECK_FALSE(tier.apply(write_of(bad, {})).ok());
    CHECK(tier.apply(write_of({std::string(200, 'u'), std::string(MaxStateKeyBytes, 'k')}, {})).ok());
  });
}

TEST_CASE("changes of one thread are made in their order; of many threads, each whole") {
  Tiers().each([](StateTier& tier) {
    const StateKey key = key_of("together");
    constexpr int Threads = 4, Rounds = 25;
    constexpr size_t Size = 40'000;
    REQUIRE(tier.apply(write_of(key, Bytes(Size))).ok());
    std::atomic<int> wrong = 0, running = Threads;
    std::vector<std::thread> writers;
    for (int t = 1; t <= Threads; t++)
      writers.emplace_back([&, t] {
        for (int i = 0; i < Rounds; i++) {
          wrong += !tier.apply(write_of(key, Bytes(Size, static_cast<std::byte>(t)))).ok();
          wrong += !tier.apply({key, What::Append, {}, {}, {{0, Bytes(1, static_cast<std::byte>(t))}}}).ok();
        }
        --running;
      });
    while (running > 0) {
      const Bytes seen = value_of(tier, key);
      wrong += seen != Bytes(Size, seen[0]);
      std::this_thread::yield();
    }
    for (std::thread& writer : writers) writer.join();
    CHECK(wrong == 0);
    CHECK(tier.read_log(key, 0, 1'000, UINT64_MAX)->size() == Threads * Rounds);
  });
}

TEST_CASE("the store on disk is there again when it is opened again") {
  const Scratch scratch;
  const auto folder = scratch.path() / "state";
  const Bytes big = noise(3 << 20, 5);
  {
    auto store = StateStore::open(folder);
    REQUIRE(store.ok());
    CHECK(StateStore::open(folder)->get() == store->get());  // in one process there is one
    REQUIRE((*store)->apply(write_of(key_of("big"), big)).ok());
    std::atomic<int> done = 0;
    for (int i = 0; i < 500; i++)  // those that are under way at the end are made
      (*store)->submit(write_of(key_of(("k" + std::to_string(i)).c_str()), bytes_of(std::to_string(i))),
                       [&](StateResult<StateInfo> result) { done += result.ok(); });
    store->reset();
    CHECK(done == 500);
  }
  auto store = StateStore::open(folder);
  REQUIRE(store.ok());
  CHECK(value_of(**store, key_of("big")) == big);
  CHECK((*store)->list("anna", StateKind::Value, "k")->size() == 500);
  CHECK(value_of(**store, key_of("k499")) == bytes_of("499"));
}

TEST_CASE("a folder that cannot be one is an error that names it") {
  const Scratch scratch;
  std::ofstream(scratch.path() / "file") << "x";
  const auto store = StateStore::open(scratch.path() / "file");
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().message.find((scratch.path() / "file").string()) != std::string::npos);
}
