// Facts of a module: with them it is the same module; facts of another one, cut short or older, are as none.
#include "engine/facts.hpp"

#include "tests/engine/guest.hpp"

using namespace krait::engine;

namespace {

// Branches, a loop, and functions that facts leave out: one with v128, one with a handler.
constexpr const char* Text = R"((module
  (tag $e (param i32))
  (func (export "sum") (param i32) (result i32) (local $s i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get 0)))
      (local.set $s (i32.add (local.get $s) (local.get 0)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br $next)))
    (local.get $s))
  (func (export "lane") (param i32) (result i32) (i32x4.extract_lane 2 (i32x4.splat (local.get 0))))
  (func (export "caught") (param i32) (result i32) (try (result i32) (do (throw $e (local.get 0))) (catch $e)))
  (func (export "pick") (param i32) (result i32)
    (block (block (block (br_table 0 1 2 (local.get 0))) (return (i32.const 10))) (return (i32.const 20)))
    (i32.const 30))))";

void check(const std::shared_ptr<const Module>& module) {
  krait::test::Guest guest;
  const auto made = guest.linker.instantiate(guest.store, module);
  REQUIRE(made.ok());
  guest.instance = *made;
  CHECK(guest.get<int32_t>("sum", 10) == 55);
  CHECK(guest.get<int32_t>("lane", 7) == 7);
  CHECK(guest.get<int32_t>("caught", 9) == 9);
  CHECK(guest.get<int32_t>("pick", 0) == 10);
  CHECK(guest.get<int32_t>("pick", 1) == 20);
  CHECK(guest.get<int32_t>("pick", 5) == 30);
}

}  // namespace

TEST_CASE("a module compiled with its facts is the module") {
  const auto module = krait::test::compiled(Text);
  const std::vector<std::byte> bytes(module->bytes().begin(), module->bytes().end()), facts = facts_of(*module);
  const auto known = compile_known(bytes, facts);
  REQUIRE(known.ok());
  CHECK((*known)->functions[0].instruction_count == module->functions[0].instruction_count);
  CHECK((*known)->functions[0].has_loop);
  check(*known);
}

TEST_CASE("facts that do not fit are as none") {
  const auto module = krait::test::compiled(Text), other = krait::test::compiled("(module (func))");
  const std::vector<std::byte> bytes(module->bytes().begin(), module->bytes().end()), facts = facts_of(*module);
  for (size_t size = 0; size < facts.size(); ++size) {
    const auto made = compile_known(bytes, std::span(facts).first(size));
    REQUIRE(made.ok());
    CHECK((*made)->side_table().size() == module->side_table().size());
  }
  const auto foreign = compile_known(bytes, facts_of(*other));
  REQUIRE(foreign.ok());
  check(*foreign);
  for (size_t field = 0; field < 8; ++field) {  // a function's place and its part of the side table: made up
    auto changed = facts;
    const size_t at = 24 + field * 4;
    if (field == 2 || field == 3 || field == 6 || field == 7) continue;  // trusted: see facts.hpp
    changed[at + 2] ^= std::byte{0x40};
    const auto made = compile_known(bytes, changed);
    REQUIRE(made.ok());
    check(*made);
  }
  CHECK_FALSE(compile_known({std::byte{0}}, facts).ok());
}
