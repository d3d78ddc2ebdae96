// The local tier: shared by the calls of a process, over both global tiers.
#include "pyhost/state/local_state.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <thread>

#include "io/runtime.hpp"
#include "io/scope.hpp"
#include "tests/pyhost/scratch.hpp"

using namespace krait;
using namespace krait::pyhost;
using namespace std::chrono_literals;
using store::Bytes;
using Push = ValueBytes::Push;

namespace {

LocalState::Key key_of(const std::string& key, const char* user = "anna") { return {user, key}; }

Bytes text(std::string_view characters) {
  const auto view = std::as_bytes(std::span(characters));
  return {view.begin(), view.end()};
}

std::string all_of(LocalState& state, const LocalState::Key& key) {
  const auto bytes = state.read_all(key);
  REQUIRE_MESSAGE(bytes.ok(), name_of(bytes.ok() ? Errno::Success : bytes.error()));
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::string range_of(LocalState& state, const LocalState::Key& key, uint64_t offset, size_t size) {
  Bytes bytes(size);
  REQUIRE(state.read(key, offset, bytes).ok());
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

/// Two processes' local tiers over one store on disk.
struct Two {
  explicit Two(LocalStateOptions options = {}) {
    auto opened = store::StateStore::open(scratch / "state");
    REQUIRE(opened.ok());
    disk = *opened;
    here = std::make_shared<LocalState>(disk, options);
    there = std::make_shared<LocalState>(disk, options);
  }
  test::ScratchFolder scratch;
  std::shared_ptr<store::StateStore> disk;
  std::shared_ptr<LocalState> here, there;
};

}  // namespace

TEST_CASE("a write is seen in this process at once, elsewhere after push and pull") {
  Two two;
  const auto key = key_of("shared");
  CHECK(two.here->size(key).error() == Errno::NoEnt);
  REQUIRE(two.here->write(key, text("0123456789")).ok());
  CHECK(all_of(*two.here, key) == "0123456789");
  CHECK(two.there->size(key).error() == Errno::NoEnt);
  REQUIRE(two.here->push(key, Push::Whole).ok());
  CHECK(all_of(*two.there, key) == "0123456789");
  REQUIRE(two.there->write_range(key, 10, 3, text("abc")).ok());
  REQUIRE(two.there->push(key, Push::Dirty).ok());
  CHECK(all_of(*two.here, key) == "0123456789");
  REQUIRE(two.here->pull(key).ok());
  CHECK(all_of(*two.here, key) == "012abc6789");
  CHECK(range_of(*two.here, key, 2, 3) == "2ab");
}

TEST_CASE("pushes of ranges leave alone what others pushed beside them; a whole push does not") {
  Two two;
  const auto key = key_of("ranges");
  REQUIRE(two.here->write(key, text("..........")).ok());
  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.there->pull(key).ok());
  REQUIRE(two.here->write_range(key, 10, 0, text("AA")).ok());
  REQUIRE(two.there->write_range(key, 10, 4, text("BB")).ok());
  REQUIRE(two.here->push(key, Push::Dirty).ok());
  REQUIRE(two.there->push(key, Push::Dirty).ok());
  REQUIRE(two.here->pull(key).ok());
  CHECK(all_of(*two.here, key) == "AA..BB....");
  CHECK(all_of(*two.there, key) == "....BB....");
  REQUIRE(two.there->push(key, Push::Whole).ok());  // clean: nothing to push
  REQUIRE(two.here->pull(key).ok());
  CHECK(all_of(*two.here, key) == "AA..BB....");
  REQUIRE(two.there->mark_dirty(key, {9, 10}).ok());
  REQUIRE(two.there->push(key, Push::Whole).ok());
  REQUIRE(two.here->pull(key).ok());
  CHECK(all_of(*two.here, key) == "....BB....");
}

TEST_CASE("a masked push sends what the mask shows") {
  Two two;
  const auto key = key_of("masked"), mask = key_of("mask");
  REQUIRE(two.here->write(key, text("abcdef")).ok());
  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.here->write_range(key, 6, 0, text("ABCDEF")).ok());
  REQUIRE(two.here->write(mask, Bytes{std::byte{1}, std::byte{0}, std::byte{0xff}, std::byte{1}, std::byte{0}, std::byte{0}}).ok());
  REQUIRE(two.here->push_masked(key, mask).ok());
  CHECK(all_of(*two.there, key) == "AbCDef");
  REQUIRE(two.here->push(key, Push::Dirty).ok());
  REQUIRE(two.there->pull(key).ok());
  CHECK(all_of(*two.there, key) == "ABCDEF");
  REQUIRE(two.here->write(mask, text("short")).ok());
  CHECK(two.here->push_masked(key, mask).error() == Errno::Inval);
  CHECK(two.here->push_masked(key, key_of("none")).error() == Errno::NoEnt);
}

TEST_CASE("what several threads add to one value's end is all there, no piece torn") {
  Two two;
  const auto key = key_of("journal");
  constexpr int Threads = 4, Pieces = 2000;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < Threads; ++i)
    threads.emplace_back([&, i] {
      const Bytes piece = text(std::string(7, static_cast<char>('a' + i)) + "\n");
      for (int n = 0; n < Pieces; ++n)
        if (!two.here->extend(key, piece).ok()) ++failed;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  const std::string all = all_of(*two.here, key);
  REQUIRE(all.size() == size_t{Threads} * Pieces * 8);
  int counts[Threads] = {};
  for (size_t at = 0; at < all.size(); at += 8) {
    const char letter = all[at];
    REQUIRE((letter >= 'a' && letter < 'a' + Threads));
    REQUIRE(all.substr(at, 8) == std::string(7, letter) + "\n");
    ++counts[letter - 'a'];
  }
  for (const int count : counts) CHECK(count == Pieces);
  REQUIRE(two.here->push(key, Push::Dirty).ok());
  CHECK(*two.there->extend(key, text("end")) == all.size() + 3);
  CHECK(all_of(*two.there, key) == all + "end");
}

TEST_CASE("sizes change, and a range past the end is an error that reads and writes nothing") {
  Two two;
  const auto key = key_of("sizes");
  Bytes buffer(4, std::byte{'x'});
  REQUIRE(two.here->write(key, text("0123456789")).ok());
  CHECK(two.here->read(key, 7, buffer).error() == Errno::Range);
  CHECK(two.here->read(key, 11, {}).error() == Errno::Range);
  CHECK(two.here->read(key, UINT64_MAX, buffer).error() == Errno::Range);
  CHECK(buffer == Bytes(4, std::byte{'x'}));
  CHECK(two.here->read(key, 10, {}).ok());
  CHECK(two.here->write_range(key, 10, 8, text("abc")).error() == Errno::Range);
  CHECK(two.here->write_range(key, 10, UINT64_MAX, text("abc")).error() == Errno::Range);
  CHECK(two.here->mark_dirty(key, {5, 11}).error() == Errno::Range);
  CHECK(all_of(*two.here, key) == "0123456789");
  CHECK(two.here->read_some(key, 8, buffer).ok());
  CHECK(*two.here->read_some(key, 8, buffer) == 2);

  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.here->write_range(key, 12, 11, text("!")).ok());
  CHECK(all_of(*two.here, key) == std::string("0123456789\0!", 12));
  REQUIRE(two.here->push(key, Push::Dirty).ok());
  CHECK(all_of(*two.there, key) == std::string("0123456789\0!", 12));
  REQUIRE(two.here->resize(key, 3).ok());
  REQUIRE(two.here->resize(key, 5).ok());
  REQUIRE(two.here->push(key, Push::Dirty).ok());
  REQUIRE(two.there->pull(key).ok());
  CHECK(all_of(*two.there, key) == std::string("012\0\0", 5));
  REQUIRE(two.here->write(key, text("a")).ok());
  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.there->pull(key).ok());
  CHECK(all_of(*two.there, key) == "a");
  REQUIRE(two.here->write(key, {}).ok());
  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.there->pull(key).ok());
  CHECK(*two.there->size(key) == 0);
  REQUIRE(two.here->write_range(key_of("made"), 8, 2, text("xy")).ok());  // of zeros
  CHECK(all_of(*two.here, key_of("made")) == std::string("\0\0xy\0\0\0\0", 8));
}

TEST_CASE("a pull drops what was not pushed; a deleted value goes with it") {
  Two two;
  const auto key = key_of("pulled");
  CHECK(two.here->pull(key).error() == Errno::NoEnt);
  REQUIRE(two.here->write(key, text("mine")).ok());
  CHECK(two.here->pull(key).error() == Errno::NoEnt);  // it never was there: it stays
  CHECK(all_of(*two.here, key) == "mine");
  REQUIRE(two.here->push(key, Push::Whole).ok());
  REQUIRE(two.here->write_range(key, 4, 0, text("MINE")).ok());
  REQUIRE(two.here->pull(key).ok());
  CHECK(all_of(*two.here, key) == "mine");
  REQUIRE(two.there->remove(key).ok());
  CHECK(two.there->size(key).error() == Errno::NoEnt);
  CHECK(all_of(*two.here, key) == "mine");
  CHECK(two.here->pull(key).error() == Errno::NoEnt);
  CHECK(two.here->size(key).error() == Errno::NoEnt);
  CHECK(two.here->remove(key).ok());
}

TEST_CASE("values are pulled in parts, and parts of two pushes are not mixed") {
  Two two;
  const auto key = key_of("large");
  const Bytes ones(9 << 20, std::byte{1}), twos(9 << 20, std::byte{2});
  REQUIRE(two.there->write(key, ones).ok());
  REQUIRE(two.there->push(key, Push::Whole).ok());
  CHECK(range_of(*two.here, key, 5 << 20, 1) == "\1");
  CHECK(two.here->memory("anna") < 1 << 20);
  REQUIRE(two.there->write(key, twos).ok());
  REQUIRE(two.there->push(key, Push::Whole).ok());
  const auto seen = two.here->read_all(key);
  REQUIRE(seen.ok());
  CHECK((*seen == ones || *seen == twos));
  REQUIRE(two.here->pull(key).ok());
  CHECK(*two.here->read_all(key) == twos);
}

TEST_CASE("a user's memory is bounded: pushed values make room, others do not, and one user's need is not another's") {
  Two two({.user_bytes = 4 << 20});
  const Bytes mega(1 << 20, std::byte{7});
  for (int i = 0; i < 10; i++) {
    const auto key = key_of("v" + std::to_string(i));
    REQUIRE(two.here->write(key, mega).ok());
    REQUIRE(two.here->push(key, Push::Whole).ok());
    CHECK(two.here->memory("anna") <= 4 << 20);
  }
  for (int i = 0; i < 10; i++) CHECK(range_of(*two.here, key_of("v" + std::to_string(i)), 1'000'000, 1) == "\7");
  int written = 0;
  while (two.here->write(key_of("u" + std::to_string(written)), mega).ok()) written++;
  CHECK(written >= 2);
  CHECK(written <= 3);
  CHECK(two.here->write(key_of("more"), mega).error() == Errno::NoMem);
  CHECK(two.here->size(key_of("more")).error() == Errno::NoEnt);
  CHECK(all_of(*two.here, key_of("u0")).size() == mega.size());  // and what was not pushed is still here
  CHECK(two.here->write(key_of("his", "bert"), mega).ok());
  REQUIRE(two.here->push(key_of("u0"), Push::Whole).ok());
  CHECK(two.here->write(key_of("more"), mega).ok());
  CHECK(two.here->write(key_of("huge", "bert"), Bytes(5 << 20)).error() == Errno::NoMem);

  const auto big = key_of("big", "carl");
  REQUIRE(two.disk->apply({big, store::StateChange::What::Write, {}, 10 << 20, {{(10 << 20) - 1, text("e")}}}).ok());
  CHECK(two.here->read_all(big).error() == Errno::NoMem);
  for (uint64_t offset = 0; offset < 10 << 20; offset += 1 << 20) CHECK(range_of(*two.here, big, offset, 1 << 20).size() == 1 << 20);
  CHECK(range_of(*two.here, big, (10 << 20) - 1, 1) == "e");
  CHECK(two.here->memory("carl") <= 4 << 20);
  for (uint64_t i = 0; i < 200'000; i++)  // many small intervals cost too
    if (!two.here->write_range(key_of("comb", "dora"), 1 << 20, i * 2, text("x")).ok()) {
      CHECK(two.here->memory("dora") <= 4 << 20);
      return;
    }
  FAIL("a comb of intervals took no memory");
}

TEST_CASE("logs and lists") {
  Two two;
  const auto key = key_of("log");
  for (const char* element : {"one", "", "three"}) REQUIRE(two.here->append(key, text(element)).ok());
  CHECK(two.there->read_log(key, 0, 10, 1'000)->size() == 3);
  CHECK(two.there->read_log(key, 0, 1, 1'000)->front() == text("one"));
  REQUIRE(two.there->clear_log(key).ok());
  CHECK(two.here->read_log(key, 0, 10, 1'000)->empty());
  REQUIRE(two.here->write(key_of("b"), text("12")).ok());
  REQUIRE(two.there->write(key_of("a"), text("1")).ok());
  REQUIRE(two.there->push(key_of("a"), Push::Whole).ok());
  REQUIRE(two.there->write(key_of("x", "bert"), text("1")).ok());
  const auto listed = two.here->list("anna", store::StateKind::Value, "");
  REQUIRE(listed->size() == 2);
  CHECK((*listed)[0].key == "a");
  CHECK((*listed)[1].key == "b");
  CHECK((*listed)[1].size == 2);
  CHECK(two.here->append(key_of(""), {}).error() == Errno::Inval);
  CHECK(two.here->write(key_of(std::string(1'000, 'k')), {}).error() == Errno::Inval);
}

TEST_CASE("calls on two shards see one another's pushes, and what one pushes the other may wait for") {
  auto runtime = io::Runtime::start({.shards = 2});
  REQUIRE(runtime.ok());
  Two two;
  const auto key = key_of("counter");
  REQUIRE(two.here->write(key, Bytes(8)).ok());
  std::atomic<int> wrong = 0;
  constexpr int Calls = 20, Rounds = 10;
  const auto call = [&] {
    StateSession session(two.here, "anna");
    for (int i = 0; i < Rounds; i++) {
      wrong += !session.lock("counter", true, {}).ok();
      uint64_t count = 0;
      wrong += !session.state().read(key, 0, std::as_writable_bytes(std::span(&count, 1))).ok();
      count++;
      wrong += !session.state().write_range(key, 8, 0, std::as_bytes(std::span(&count, 1))).ok();
      wrong += !session.state().push(key, i % 2 ? Push::Dirty : Push::Whole).ok();
      wrong += !session.unlock("counter", true).ok();
    }
  };
  std::thread other([&] {
    (*runtime)->shard(1).run([&] {
      io::Scope scope;
      for (int i = 0; i < Calls / 2; i++) scope.spawn(call);
      scope.join();
    });
  });
  (*runtime)->shard(0).run([&] {
    io::Scope scope;
    for (int i = 0; i < Calls / 2; i++) scope.spawn(call);
    scope.join();
  });
  other.join();
  CHECK(wrong == 0);
  uint64_t count = 0;
  REQUIRE(two.there->read(key, 0, std::as_writable_bytes(std::span(&count, 1))).ok());
  CHECK(count == Calls * Rounds);
  CHECK((*runtime)->shutdown(0s, 5s).ok());
}

TEST_CASE("many threads at once: each read shows one write of each byte, the last push stands") {
  Two two({.user_bytes = 3 << 20});
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 300; i++) {
        LocalState& state = t % 2 ? *two.here : *two.there;
        const auto key = key_of("k" + std::to_string(random() % 5));
        Errno error = Errno::Success;
        const auto note = [&](const auto& result) {
          if (!result) error = result.error();
        };
        switch (random() % 6) {
          case 0: note(state.write(key, Bytes(random() % 300'000, std::byte{5}))); break;
          case 1: note(state.push(key, Push::Dirty)); break;
          case 2: note(state.pull(key)); break;
          case 3: note(state.remove(key)); break;
          case 4: note(state.resize(key, random() % 300'000)); break;
          default: {
            const auto bytes = state.read_all(key);
            note(bytes);
            if (bytes)
              for (const std::byte byte : *bytes) wrong += byte != std::byte{5} && byte != std::byte{0};
          }
        }
        wrong += error != Errno::Success && error != Errno::NoEnt;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  const auto entries = two.here->list("anna", store::StateKind::Value, "");
  for (const auto& entry : *entries) {
    (void)two.here->push(key_of(entry.key), Push::Whole);
    const bool here = two.here->pull(key_of(entry.key)).ok(), there = two.there->pull(key_of(entry.key)).ok();
    CHECK(here == there);
    if (here) CHECK(all_of(*two.there, key_of(entry.key)) == all_of(*two.here, key_of(entry.key)));
  }
}

TEST_CASE("a push that the global tier refuses is an error, and what was not pushed is kept") {
  const auto state = std::make_shared<LocalState>(store::memory_state({.user_bytes = 10'000}));
  const auto key = key_of("full");
  REQUIRE(state->write(key, Bytes(20'000, std::byte{1})).ok());
  CHECK(state->push(key, Push::Whole).error() == Errno::NoSpc);
  CHECK(state->push(key, Push::Whole).error() == Errno::NoSpc);
  CHECK(*state->read_all(key) == Bytes(20'000, std::byte{1}));
  REQUIRE(state->resize(key, 5'000).ok());
  CHECK(state->push(key, Push::Dirty).ok());
  CHECK(state->global().read(key, 0, 100'000)->value().bytes == Bytes(5'000, std::byte{1}));
}
