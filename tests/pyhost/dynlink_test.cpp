// The dynamic linker, with modules in text for the main one and the libraries: what links, what is refused, and what snapshots and resets
// make of it.
#include "pyhost/dynlink/loader.hpp"

#include <doctest/doctest.h>

#include "engine/host.hpp"
#include "tests/engine/guest.hpp"

using namespace krait;
using engine::Snapshot;
using krait::test::wat;
using pyhost::LinkedState;
using pyhost::Loader;

namespace {

constexpr const char* MainText = R"((module
  (memory (export "memory") 1)
  (table (export "__indirect_function_table") 4 funcref)
  (global (export "__stack_pointer") (mut i32) (i32.const 1024))
  (global (export "number") i32 (i32.const 16))
  (data (i32.const 16) "\2a")
  (elem (i32.const 1) $double)
  (func $double (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "call") (param $place i32) (param $value i32) (result i32)
    (call_indirect (param i32) (result i32) (local.get $value) (local.get $place)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))))";

const std::string Environment = R"((import "env" "memory" (memory 0))
     (import "env" "__indirect_function_table" (table $t 0 funcref))
     (import "env" "__stack_pointer" (global $sp (mut i32)))
     (import "env" "__memory_base" (global $memory i32))
     (import "env" "__table_base" (global $table i32)))";

/// Exports `pick`: what "twice" gives, which it both imports and exports, and main exports as well by the name of "double".
const std::string Library = "(module " + Environment + R"(
  (import "env" "double" (func $double (param i32) (result i32)))
  (import "env" "twice" (func $imported (param i32) (result i32)))
  (import "GOT.mem" "number" (global $number (mut i32)))
  (import "GOT.mem" "own" (global $own (mut i32)))
  (import "GOT.func" "double" (global $double_at (mut i32)))
  (import "GOT.func" "pick" (global $pick_at (mut i32)))
  (global (export "own") i32 (i32.const 4))
  (global $calls (mut i32) (i32.const 0))
  (data (global.get $memory) "\01\00\00\00\07\00\00\00")
  (elem (global.get $table) func $pick)
  (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1000)))
  (func $pick (export "pick") (param i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.add (call $double (call $imported (local.get 0)))
      (i32.add (i32.load (global.get $number)) (i32.load (global.get $own)))))
  (func (export "calls") (param i32) (result i32) (global.get $calls))
  (func (export "double at") (param i32) (result i32) (global.get $double_at))
  (func (export "pick at") (param i32) (result i32) (global.get $pick_at))))";
constexpr int32_t PickOf5 = 2 * 1005 + 42 + 7;

/// The bytes of `text` with a section dylink.0 behind it, of which `sub` are the subsections.
std::vector<std::byte> library(std::string_view text, const std::string& sub = std::string("\x01\x04\x08\x02\x01\x00", 6)) {
  std::vector<std::byte> bytes = wat(text);
  const std::string body = std::string("\x08") + "dylink.0" + sub;
  REQUIRE(body.size() < 128);
  bytes.push_back(std::byte{0});
  bytes.push_back(static_cast<std::byte>(body.size()));
  for (const char c : body) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

struct Sandbox {
  explicit Sandbox(std::shared_ptr<const Snapshot> snapshot = nullptr) {
    static const auto Module = test::compiled(MainText);
    auto made = hosts.instantiate(store, Module, std::move(snapshot));
    REQUIRE(made.ok());
    main = *made;
    loader.emplace(store, *main, hosts, modules);
  }
  uint32_t link(std::string_view text, uint32_t memory = 256) {
    auto number = loader->load(library(text), "lib");
    REQUIRE_MESSAGE(number.ok(), (number ? "" : number.error().message));
    auto linked = loader->link(*number, memory, {}, false);
    REQUIRE_MESSAGE(linked.ok(), (linked ? "" : linked.error().message));
    return *number;
  }
  std::string refused(const std::vector<std::byte>& bytes, uint32_t memory = 256) {
    auto number = loader->load(bytes, "lib");
    if (!number) return number.error().message;
    auto linked = loader->link(*number, memory, {}, false);
    return linked ? "" : linked.error().message;
  }
  uint32_t symbol(uint32_t number, const std::string& name) {
    auto found = loader->symbol(number, name);
    REQUIRE_MESSAGE(found.ok(), (found ? "" : found.error().message));
    return *found;
  }
  int32_t call(uint32_t place, int32_t value) {
    auto result = engine::call<int32_t>(store, *main->export_func("call"), static_cast<int32_t>(place), value);
    REQUIRE_MESSAGE(result.ok(), (result ? "" : result.error().to_string()));
    return *result;
  }

  engine::Linker hosts;
  engine::Store store;
  pyhost::SideModules modules{nullptr};
  engine::Instance* main = nullptr;
  std::optional<Loader> loader;
};

}  // namespace

TEST_CASE("a library is linked to the main module, to itself and into the table") {
  Sandbox box;
  const uint32_t lib = box.link(Library);
  CHECK(box.symbol(lib, "pick") == 4);  // its place in the library's own elements
  CHECK(box.call(4, 5) == PickOf5);
  CHECK(box.call(box.symbol(lib, "calls"), 0) == 1);
  CHECK(box.call(box.symbol(lib, "double at"), 0) == 1);  // main has it there
  CHECK(box.call(box.symbol(lib, "pick at"), 0) == 4);
  CHECK(box.symbol(lib, "own") == 260);
  CHECK(box.symbol(Loader::Main, "number") == 16);
  CHECK(box.symbol(Loader::Main, "double") == 1);
  CHECK_FALSE(box.loader->symbol(Loader::Main, "pick").ok());  // it was not linked as global
  CHECK(box.loader->symbol(lib, "nothing").error().message == "undefined symbol: nothing");
  CHECK_FALSE(box.loader->symbol(77, "pick").ok());
  CHECK_FALSE(box.loader->link(lib, 256, {}, false).ok());
}

TEST_CASE("symbols of what is needed and of what is global are found") {
  Sandbox box;
  const uint32_t base = box.link(Library);
  const auto user = library("(module " + Environment + R"((import "env" "pick" (func $pick (param i32) (result i32)))
    (func (export "use") (param i32) (result i32) (call $pick (local.get 0)))))");
  CHECK(box.refused(user) == "undefined symbol: pick");
  auto number = box.loader->load(user, "user");
  REQUIRE(box.loader->link(*number, 512, {{base}}, true).ok());
  CHECK(box.call(box.symbol(*number, "use"), 5) == PickOf5);
  CHECK(box.call(box.symbol(*number, "pick"), 5) == PickOf5);
  CHECK(box.call(box.symbol(Loader::Main, "use"), 5) == PickOf5);
}

TEST_CASE("what is not a library, or not as it should be, is refused") {
  Sandbox box;
  CHECK(box.refused(wat("(module)")).find("no section dylink.0") != std::string::npos);
  CHECK(box.refused(std::vector<std::byte>(10)).find("magic header") != std::string::npos);
  CHECK(box.refused(library("(module (memory 1))")).find("main module's memory") != std::string::npos);
  CHECK(box.refused(library("(module (table 1 funcref))")).find("main module's table") != std::string::npos);
  CHECK(box.refused(library(R"((module (import "env" "nowhere" (func))))")) == "undefined symbol: nowhere");
  CHECK(box.refused(library(R"((module (import "GOT.mem" "nowhere" (global (mut i32)))))")) == "undefined symbol: nowhere");
  CHECK(box.refused(library(R"((module (import "GOT.mem" "double" (global (mut i32)))))")) == "undefined symbol: double");
  CHECK(box.refused(library(R"((module (import "GOT.mem" "number" (global (mut i64)))))")).find("expected global") != std::string::npos);
  CHECK(box.refused(library(R"((module (import "env" "double" (func (param f64)))))")).find("incompatible import type") != std::string::npos);
  CHECK(box.refused(library(R"((module (import "env" "__stack_pointer" (global i32))))")).find("incompatible import type") != std::string::npos);
  CHECK(box.refused(library(R"((module (import "other" "f" (func))))")).find("which there is not") != std::string::npos);
  CHECK(box.refused(library(R"((module (import "env" "odd" (tag))))")).find("undefined symbol") != std::string::npos);
  CHECK(box.refused(library("(module " + Environment + R"((data (global.get $memory) "12345678")))"), 65530).find("out of bounds memory") != std::string::npos);
  const std::string huge("\x01\x0b\xff\xff\xff\xff\x0f\x00\xff\xff\xff\x0f\x00", 13);
  CHECK(box.refused(library("(module)", huge)).find("more memory") != std::string::npos);
  CHECK(box.refused(library("(module)", std::string("\x01\x7f", 2))).find("unexpected end") != std::string::npos);
  CHECK(box.refused(library("(module)", std::string("\x02\x02\x7f\x01", 4))) != "");
  CHECK(box.store.instances().size() < 20);
}

TEST_CASE("a weak function that nobody defines traps when it is called, weak data is at 0") {
  Sandbox box;
  const std::string weak = std::string("\x01\x04\x08\x02\x01\x00", 6) +
                           std::string("\x04\x17\x02\x03" "env" "\x05" "maybe" "\x01\x07" "GOT.mem" "\x01" "x" "\x01", 25);
  auto number = box.loader->load(library("(module " + Environment + R"((import "env" "maybe" (func $maybe))
    (import "GOT.mem" "x" (global $x (mut i32)))
    (func (export "value") (param i32) (result i32) (global.get $x))
    (func (export "try") (param i32) (result i32) (call $maybe) (i32.const 0))))", weak), "weak");
  REQUIRE_MESSAGE(number.ok(), (number ? "" : number.error().message));
  REQUIRE(box.loader->link(*number, 256, {}, false).ok());
  CHECK(box.call(box.symbol(*number, "value"), 0) == 0);
  auto called = engine::call<int32_t>(box.store, *box.main->export_func("call"), static_cast<int32_t>(box.symbol(*number, "try")), 0);
  REQUIRE_FALSE(called.ok());
  CHECK(called.error().message == "call of an undefined function: maybe");
}

TEST_CASE("what the guest can have linked is bounded") {
  Sandbox box;
  const auto small = library("(module)");
  size_t count = 0;
  while (box.refused(small).empty()) REQUIRE(++count < 100'000);
  CHECK(count > 1000);
  CHECK(box.refused(small) == "too many shared libraries are loaded");
}

TEST_CASE("a snapshot holds libraries; a reset ends those that came later") {
  Sandbox first;
  const uint32_t lib = first.link(Library);
  CHECK(first.call(first.symbol(lib, "pick"), 5) == PickOf5);
  (void)first.symbol(lib, "calls");
  std::vector<engine::FuncInstance*> outside;
  auto linked = first.loader->take(outside);
  REQUIRE(linked.ok());
  CHECK(outside.size() == 2);
  auto taken = Snapshot::take(*first.main, outside);
  REQUIRE(taken.ok());
  CHECK((*taken)->outside() == 2);

  const auto bytes = (*linked)->encode();
  pyhost::SideModules modules{nullptr};
  auto state = LinkedState::decode(bytes, modules);
  REQUIRE_MESSAGE(state.ok(), (state ? "" : state.error().message));
  auto decoded = Snapshot::decode(first.main->module(), (*taken)->encode());
  REQUIRE(decoded.ok());

  Sandbox second(*decoded);
  auto functions = second.loader->restore(**state);
  REQUIRE(functions.ok());
  CHECK_FALSE((*decoded)->bind(*second.main, {}).ok());
  REQUIRE((*decoded)->bind(*second.main, *functions).ok());
  const auto mark = second.store.mark();
  for (int round = 0; round < 3; ++round) {
    CHECK(second.main->export_table("__indirect_function_table")->size() == 6);
    CHECK(second.call(second.symbol(lib, "calls"), 0) == 1);
    CHECK(second.call(second.symbol(lib, "pick"), 5) == PickOf5);
    CHECK(second.call(second.symbol(lib, "calls"), 0) == 2);
    const uint32_t later = second.link(Library, 600);
    CHECK(later == lib + 1);
    CHECK(second.call(second.symbol(later, "pick"), 5) == PickOf5);
    REQUIRE((*decoded)->restore(*second.main).ok());
    REQUIRE(second.loader->reset(state->get()).ok());
    second.store.release(mark);
    CHECK_FALSE(second.loader->symbol(later, "pick").ok());
  }
  for (size_t cut = 0; cut < bytes.size(); cut += 7) CHECK_FALSE(LinkedState::decode(std::span(bytes).first(cut), modules).ok());
}
