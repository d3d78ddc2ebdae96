#include "store/function_store.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>
#include <thread>

#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;
namespace fs = std::filesystem;

TEST_CASE("a function is uploaded, read, listed, replaced and removed") {
  const Scratch scratch;
  FunctionStore store(scratch.path() / "home");
  CHECK(store.list()->functions.empty());
  CHECK_FALSE(store.get("demo", "hello")->has_value());
  CHECK_FALSE(*store.remove("demo", "hello"));
  CHECK_FALSE(fs::exists(scratch.path() / "home"));

  const auto put = store.put("demo", "hello", FunctionKind::Python, bytes_of("print(1)"));
  REQUIRE(put.ok());
  CHECK(put->size == 8);
  REQUIRE(store.put("alice", "add", FunctionKind::Wasm, bytes_of("\1asm")).ok());

  const FunctionStore other(scratch.path() / "home");  // as another process would
  const auto got = other.get("demo", "hello");
  REQUIRE(got.ok());
  REQUIRE(got->has_value());
  CHECK((*got)->contents == bytes_of("print(1)"));
  CHECK((*got)->info.kind == FunctionKind::Python);
  CHECK((*got)->info.uploaded.size() == std::string("2026-01-31T12:00:00Z").size());

  const auto all = other.list();
  REQUIRE(all->functions.size() == 2);
  CHECK(all->functions[0].user == "alice");
  CHECK(all->functions[0].kind == FunctionKind::Wasm);
  CHECK(all->functions[1].name == "hello");
  CHECK(other.list("demo")->functions.size() == 1);
  CHECK(other.list("nobody")->functions.empty());

  REQUIRE(store.put("demo", "hello", FunctionKind::Python, bytes_of("print(2)")).ok());
  CHECK((*other.get("demo", "hello"))->contents == bytes_of("print(2)"));
  CHECK(*store.remove("demo", "hello"));
  CHECK_FALSE(other.get("demo", "hello")->has_value());
}

TEST_CASE("contents that no function has any more are removed, shared ones stay") {
  const Scratch scratch;
  FunctionStore store(scratch.path());
  const BlobStore blobs(scratch.path() / "blobs");
  REQUIRE(store.put("a", "f", FunctionKind::Python, bytes_of("one")).ok());
  REQUIRE(store.put("b", "f", FunctionKind::Python, bytes_of("one")).ok());
  CHECK(blobs.list()->size() == 1);
  REQUIRE(store.put("a", "f", FunctionKind::Python, bytes_of("two")).ok());
  CHECK(blobs.list()->size() == 2);
  CHECK((*store.get("b", "f"))->contents == bytes_of("one"));
  CHECK(*store.remove("b", "f"));
  CHECK(blobs.list()->size() == 1);
  CHECK((*store.get("a", "f"))->contents == bytes_of("two"));
}

TEST_CASE("names: long ones are allowed, those that could leave the folder are not") {
  CHECK(check_name("function", "hello").ok());
  CHECK(check_name("function", "Hello_2-b.c").ok());
  CHECK(check_name("function", std::string(MaxNameBytes, 'f')).ok());
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("../x"),
        std::string("/etc"), std::string(".hidden"), std::string("-option"), std::string("a b"), std::string("a\0b", 3),
        std::string("a\nb"), std::string("\xc3\xa9"), std::string("a\\b"), std::string(MaxNameBytes + 1, 'f')}) {
    CAPTURE(bad);
    const auto checked = check_name("function", bad);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().message.find("function name") != std::string::npos);
    for (const char c : checked.error().message) CHECK((c >= ' ' && c <= '~'));
    CHECK(checked.error().message.size() < 150);
  }

  const Scratch scratch;
  FunctionStore store(scratch.path() / "home");
  CHECK_FALSE(store.put("..", "f", FunctionKind::Python, {}).ok());
  CHECK_FALSE(store.put("u", "../f", FunctionKind::Python, {}).ok());
  CHECK_FALSE(store.get("u", "a/b").ok());
  CHECK_FALSE(store.list("..").ok());
  CHECK_FALSE(store.remove("..", "x").ok());
  CHECK_FALSE(fs::exists(scratch.path() / "home"));
  const std::string longest(MaxNameBytes, 'f');
  REQUIRE(store.put(longest, longest, FunctionKind::Python, bytes_of("x")).ok());
  CHECK(store.get(longest, longest)->has_value());
}

TEST_CASE("a damaged function says what to do; the others are listed; a new upload cures it") {
  const Scratch scratch;
  FunctionStore store(scratch.path());
  REQUIRE(store.put("demo", "good", FunctionKind::Python, bytes_of("good")).ok());
  const auto bad = store.put("demo", "bad", FunctionKind::Python, bytes_of("bad"));
  const fs::path blob = BlobStore(scratch.path() / "blobs").path_of(bad->digest);
  const fs::path manifest = scratch.path() / "functions" / "demo" / "bad.json";

  const auto check_cure = [&] {
    REQUIRE(store.put("demo", "bad", FunctionKind::Python, bytes_of("bad")).ok());
    CHECK((*store.get("demo", "bad"))->contents == bytes_of("bad"));
  };
  const auto error_has = [&](const std::string& text) {
    const auto got = store.get("demo", "bad");
    REQUIRE_FALSE(got.ok());
    CAPTURE(got.error().message);
    CHECK(got.error().message.find(text) != std::string::npos);
    CHECK(got.error().message.find("upload") != std::string::npos);
  };
  flip_bit(blob, 20);
  error_has(blob.string());
  check_cure();
  fs::remove(blob);
  error_has("missing");
  check_cure();
  for (const char* text : {"", "{", "[]", "{\"format\":1}", "{\"format\":2}"}) {
    std::ofstream(manifest, std::ios::trunc) << text;
    error_has(manifest.string());
    const auto listing = store.list();
    REQUIRE(listing.ok());
    CHECK(listing->functions.size() == 1);
    CHECK(listing->damaged.size() == 1);
    check_cure();
  }
  std::ofstream(manifest, std::ios::trunc) << "?";
  CHECK(*store.remove("demo", "bad"));
  CHECK(store.list()->damaged.empty());
}

TEST_CASE("the home folder: KRAIT_HOME, then XDG_DATA_HOME, then HOME") {
  const std::string home = ::getenv("HOME") ? ::getenv("HOME") : "";
  ::setenv("HOME", "/h", 1);
  ::unsetenv("KRAIT_HOME");
  ::unsetenv("XDG_DATA_HOME");
  CHECK(*default_home() == "/h/.local/share/krait");
  ::setenv("XDG_DATA_HOME", "relative", 1);
  CHECK(*default_home() == "/h/.local/share/krait");
  ::setenv("XDG_DATA_HOME", "/data", 1);
  CHECK(*default_home() == "/data/krait");
  ::setenv("KRAIT_HOME", "/k", 1);
  CHECK(*default_home() == "/k");
  ::unsetenv("KRAIT_HOME");
  ::unsetenv("XDG_DATA_HOME");
  ::unsetenv("HOME");
  CHECK_FALSE(default_home().ok());
  if (!home.empty()) ::setenv("HOME", home.c_str(), 1);
}

TEST_CASE("readers beside two writers of one function always see a whole one") {
  const Scratch scratch;
  const Bytes a = noise(20'000, 1), b = noise(30'000, 2);
  REQUIRE(FunctionStore(scratch.path()).put("u", "f", FunctionKind::Python, a).ok());
  const auto writer = [&](const Bytes& first, const Bytes& second) {
    FunctionStore store(scratch.path());
    for (int i = 0; i < 20; ++i) {
      const auto put = store.put("u", "f", FunctionKind::Python, i % 2 ? first : second);
      CHECK_MESSAGE(put.ok(), (put.ok() ? "" : put.error().message));
    }
  };
  std::atomic<bool> done = false;
  std::thread reader([&] {
    const FunctionStore store(scratch.path());
    while (!done) {
      const auto got = store.get("u", "f");
      REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.error().message));
      REQUIRE(got->has_value());
      REQUIRE(((*got)->contents == a || (*got)->contents == b));
    }
  });
  std::thread one(writer, a, b), two(writer, b, a);
  one.join();
  two.join();
  done = true;
  reader.join();
  CHECK(BlobStore(scratch.path() / "blobs").list()->size() == 1);
}
