// Facts of a module: with them it is the same module; facts of another one, cut short or older, are as none.
#include "engine/facts.hpp"

#include <cstring>

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

/// A copy of a block of facts, on the border that it needs.
SharedBytes block_of(std::span<const std::byte> facts) {
  const auto words = std::make_shared<std::vector<uint64_t>>(facts.size() / 8 + 1);
  if (!facts.empty()) std::memcpy(words->data(), facts.data(), facts.size());
  return {std::as_bytes(std::span(*words)).first(facts.size()), words};
}

/// Whether the module uses these facts, or was validated again.
bool uses(const Module& module, const SharedBytes& facts) { return facts_of(module).data() == facts.bytes.data(); }

}  // namespace

TEST_CASE("a module compiled with its facts is the module, and uses them where they lie") {
  const auto module = krait::test::compiled(Text);
  const std::vector<std::byte> bytes(module->bytes().begin(), module->bytes().end());
  const SharedBytes facts = block_of(facts_of(*module));
  const auto known = compile_known(bytes, facts);
  REQUIRE(known.ok());
  CHECK(uses(**known, facts));
  CHECK((*known)->functions[0].instruction_count == module->functions[0].instruction_count);
  CHECK((*known)->functions[0].has_loop);
  CHECK((*known)->functions[1].uses_v128);
  CHECK((*known)->functions[2].regions.size() == 1);
  check(*known);
}

TEST_CASE("facts that do not fit are as none") {
  const auto module = krait::test::compiled(Text), other = krait::test::compiled("(module (func))");
  const std::vector<std::byte> bytes(module->bytes().begin(), module->bytes().end());
  const auto facts = facts_of(*module);
  const auto is_rejected = [&](std::span<const std::byte> wrong) {
    const SharedBytes block = block_of(wrong);
    const auto made = compile_known(bytes, block);
    REQUIRE(made.ok());
    CHECK_FALSE(uses(**made, block));
    CHECK((*made)->side_table().size() == module->side_table().size());
    return *made;
  };
  for (size_t size = 0; size < facts.size(); ++size) is_rejected(facts.first(size));
  check(is_rejected(facts_of(*other)));
  CHECK_FALSE(compile_known({std::byte{0}}, block_of(facts)).ok());
}

TEST_CASE("facts that are damaged lead nowhere outside of them and of the module") {
  const auto module = krait::test::compiled(Text);
  const std::vector<std::byte> bytes(module->bytes().begin(), module->bytes().end());
  const auto facts = facts_of(*module);
  const auto within = [](auto list, std::span<const std::byte> block) {
    const auto* begin = reinterpret_cast<const std::byte*>(list.data());
    return begin >= block.data() && begin + list.size() * sizeof(list[0]) <= block.data() + block.size();
  };
  size_t used = 0;
  for (size_t bit = 0; bit < facts.size() * 8; bit += 7) {
    std::vector<std::byte> changed(facts.begin(), facts.end());
    changed[bit / 8] ^= std::byte{1} << bit % 8;
    const auto made = compile_known(bytes, block_of(changed));
    REQUIRE(made.ok());
    used += facts_of(**made).size() == facts.size();
    const auto block = facts_of(**made);
    for (const Function& f : (*made)->functions) {
      CHECK((f.code_begin <= f.code_end && f.code_end <= bytes.size()));
      CHECK((f.side_table <= (*made)->side_table().size() && f.side_table_size <= (*made)->side_table().size() - f.side_table));
      CHECK(f.locals.size() == f.local_count);
      CHECK(within(std::span(f.locals), block));
      CHECK(within(std::span(f.local_slot_of), block));
      CHECK(within(std::span(f.regions), block));
      CHECK(within(std::span(f.catches), block));
      for (const TryRegion& region : f.regions) CHECK(region.first_catch + uint64_t{region.catch_count} <= f.catches.size());
    }
  }
  CHECK(used > 0);
}
