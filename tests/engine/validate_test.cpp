// What the validator makes of code beyond a verdict: side table, try regions, frame layout.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/disasm.hpp"
#include "tests/engine/side_table_walk.hpp"
#include "tests/support/bytes.hpp"
#include "tests/support/wat.hpp"

using namespace krait::engine;
using krait::test::Bytes;
using krait::test::SideTableWalk;
using krait::test::wat;

namespace {

std::shared_ptr<const Module> compile(std::vector<std::byte> bytes) {
  auto module = Module::compile(std::move(bytes));
  REQUIRE_MESSAGE(module.ok(), module.error().to_string());
  return *module;
}

std::shared_ptr<const Module> compile(std::string_view text) { return compile(wat(text)); }

struct Entry {
  uint32_t from, to, to_stp, keep, drop;  // pcs from the function's first instruction
  bool operator==(const Entry&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Entry& e) {
  return out << "{" << e.from << "->" << e.to << " stp " << e.to_stp << " keep " << e.keep
             << " drop " << e.drop << "}";
}

/// The entries of a function's branches, found by a walk over all its instructions; none may be in
/// dead code.
std::vector<Entry> entries(const Module& module, size_t func = 0) {
  const Function& f = module.functions[func];
  std::vector<Entry> out;
  Reader reader(module.bytes(), f.code_begin, f.code_end);
  Instruction in{};
  for (uint32_t stp = 0; stp < f.side_table_size && read_instruction(reader, in);) {
    const bool branches = in.op == Opcode::Br || in.op == Opcode::BrIf || in.op == Opcode::If ||
                          in.op == Opcode::Else || in.op == Opcode::BrTable;
    for (uint32_t n = branches ? (in.op == Opcode::BrTable ? in.index + 1 : 1) : 0; n > 0;
         --n, ++stp) {
      const BranchEntry& e = module.side_table()[f.side_table + stp];
      out.push_back({in.offset - f.code_begin, in.offset - f.code_begin + e.delta_pc,
                     stp + e.delta_stp, e.keep, e.drop});
    }
  }
  return out;
}

std::string walk(const Module& module, size_t func = 0) {
  return SideTableWalk(module, module.functions[func]).run();
}

}  // namespace

TEST_CASE("branches: targets, and what they keep and drop") {
  const auto module = compile(R"((module (func (param i32) (result i32)
    (block (result i32)          ;; 0
      i64.const 1                ;; 2
      i32.const 7                ;; 4
      local.get 0                ;; 6
      br_if 0                    ;; 8
      drop drop                  ;; 10
      loop                       ;; 12
        local.get 0              ;; 14
        br_if 0                  ;; 16
      end                        ;; 18
      i32.const 3                ;; 19
      local.get 0                ;; 21
      br_table 0 1 0)            ;; 23, end 28
  )))");
  CHECK(entries(*module) == std::vector<Entry>{{8, 29, 5, 1, 1},
                                               {16, 14, 1, 0, 0},
                                               {23, 29, 5, 1, 0},
                                               {23, 29, 5, 1, 0},
                                               {23, 29, 5, 1, 0}});
  CHECK(walk(*module) == "");
  CHECK(module->functions[0].max_operand_slots == 3);
  CHECK(module->functions[0].has_loop);
  CHECK(module->functions[0].instruction_count == 16);
}

TEST_CASE("if and else") {
  const auto module = compile(R"((module
    (func (param i32) (result i32) (if (result i32) (local.get 0) (then i32.const 1) (else i32.const 2)))
    (func (param i32) (if (local.get 0) (then nop)))
    (func (param i32) (result i32) (if (result i32) (local.get 0) (then i32.const 1 return) (else i32.const 2)))))");
  // 0 local.get, 2 if, 4 const, 6 else, 7 const, 9 end, 10 end
  CHECK(entries(*module, 0) == std::vector<Entry>{{2, 7, 2, 0, 0}, {6, 10, 2, 0, 0}});
  CHECK(entries(*module, 1) == std::vector<Entry>{{2, 6, 1, 0, 0}});
  // An else that is not reached by fallthrough has no entry.
  CHECK(entries(*module, 2) == std::vector<Entry>{{2, 8, 1, 0, 0}});
  for (size_t func = 0; func < 3; ++func) CHECK(walk(*module, func) == "");
}

TEST_CASE("unreachable code has no entries, and the code behind its block has the right stp") {
  const auto module = compile(R"((module (func (param i32)
    (block
      (br_if 0 (local.get 0))
      br 0
      (if (i32.const 0) (then (br 1)) (else (br 0)))
      (block (br 0) (br_table 0 1 (i32.const 0)))
      (loop (br_if 0 (i32.const 1))))
    (br_if 0 (local.get 0)))))");
  CHECK(module->functions[0].side_table_size == 3);
  CHECK(walk(*module) == "");
}

TEST_CASE("a loop's label takes its params; the function's label is its final end") {
  const auto module = compile(R"((module (func (param i32) (result i32)
    i64.const 9                                     ;; 0
    local.get 0                                     ;; 2
    (loop (param i32) (result i32)                  ;; 4
      f32.const 1                                   ;; 6
      drop                                          ;; 11
      i64.const 0                                   ;; 12
      i32.const 5                                   ;; 14
      local.get 0                                   ;; 16
      br_if 0                                       ;; 18
      br 1)                                         ;; 20, end 22
    unreachable)))");
  const std::vector<Entry> found = entries(*module);
  REQUIRE(found.size() == 2);
  CHECK(found[0] == Entry{18, 6, 0, 1, 2});
  CHECK(found[1].to + 1 == module->functions[0].code_end - module->functions[0].code_begin);
  CHECK(found[1].keep == 1);
  CHECK(found[1].drop == 3);
}

TEST_CASE(
    "functions with v128: slots, and entries of drop and select from the first instruction on") {
  const auto module = compile(R"((module
    (func (param i32 v128) (result i64) (local i64 v128)
      (drop (i32.const 0))
      (drop (local.get 1))
      (select (local.get 2) (local.get 2) (local.get 0)))
    (func (result i32)
      (drop (i32.const 0))
      (drop (select (v128.const i64x2 0 0) (v128.const i64x2 0 0) (i32.const 1)))
      i32.const 1)
    (func (drop (i32.const 0)))))");
  const Function& f = module->functions[0];
  CHECK(f.uses_v128);
  CHECK(std::vector<uint32_t>(f.local_slot_of.begin(), f.local_slot_of.end()) == std::vector<uint32_t>{0, 1, 3, 4});
  CHECK(f.local_slots == 6);
  CHECK(f.param_slots == 3);
  auto keeps = [&](const Function& function) {
    std::vector<uint32_t> out;
    for (const BranchEntry& e :
         module->side_table().subspan(function.side_table, function.side_table_size))
      out.push_back(e.keep);
    return out;
  };
  CHECK(keeps(f) == std::vector<uint32_t>{1, 2, 1});
  // Its first v128 comes behind the first drop.
  CHECK(module->functions[1].uses_v128);
  CHECK(keeps(module->functions[1]) == std::vector<uint32_t>{1, 2, 2});
  CHECK(module->functions[1].max_operand_slots == 5);
  CHECK(module->functions[1].instruction_count == 9);
  CHECK_FALSE(module->functions[2].uses_v128);
  CHECK(module->functions[2].side_table_size == 0);
  for (size_t func = 0; func < 3; ++func) CHECK(walk(*module, func) == "");
}

TEST_CASE("a v128 counts two slots in what a branch keeps and drops") {
  const auto module = compile(R"((module (func (param i32) (result v128)
    (block (result v128)
      i32.const 1
      v128.const i64x2 0 0
      v128.const i64x2 0 0
      (br_if 0 (local.get 0))
      br 0))))");
  const std::vector<Entry> found = entries(*module);
  REQUIRE(found.size() == 2);
  CHECK(found[0].keep == 2);
  CHECK(found[0].drop == 3);
}

TEST_CASE("legacy exceptions: regions, clauses, exception slots") {
  const auto module = compile(R"((module (tag $t (param i32 i64)) (func (param i32) (result i32)
    i32.const 5
    (try (result i32)
      (do (call 0 (local.get 0)))
      (catch $t
        drop
        (try (do (nop)) (catch_all (rethrow 1)))
        (if (local.get 0) (then (rethrow 1))))
      (catch_all (rethrow 0)))
    i32.add)))");
  const Function& f = module->functions[0];
  REQUIRE(f.regions.size() == 2);
  REQUIRE(f.catches.size() == 3);
  const TryRegion &outer = f.regions[0], &inner = f.regions[1];
  CHECK(outer.next == NoIndex);
  CHECK(inner.next == NoIndex);  // it stands in a handler: outside of the outer body
  CHECK(outer.catch_count == 2);
  CHECK(inner.catch_count == 1);
  const CatchClause &typed = f.catches[outer.first_catch], &all = f.catches[outer.first_catch + 1],
                    &nested = f.catches[inner.first_catch];
  CHECK(typed.kind == CatchKind::Catch);
  CHECK(typed.tag == 0);
  CHECK(all.kind == CatchKind::CatchAll);
  CHECK(typed.height == 1);
  CHECK(nested.height == 2);
  CHECK(typed.exception_slot == 1);
  CHECK(all.exception_slot == 1);
  CHECK(nested.exception_slot == 2);
  CHECK(f.local_slots == 3);
  CHECK(f.local_count == 1);
  // Each rethrow names the slot of the handler it is in.
  std::vector<uint32_t> slots;
  Reader reader(module->bytes(), f.code_begin, f.code_end);
  Instruction in{};
  while (!reader.at_end() && read_instruction(reader, in)) {
    if (in.op == Opcode::Catch) CHECK(typed.target_pc == in.end);
  }
  for (const BranchEntry& e : module->side_table()) {
    if (e.delta_pc == 0 && e.delta_stp == 0) slots.push_back(e.keep);
  }
  CHECK(slots == std::vector<uint32_t>{1, 1, 1});
  CHECK(SideTableWalk(*module, f).allow_unreached().run() == "");
}

TEST_CASE("delegate goes on at its label's region") {
  const auto module = compile(R"((module (tag $t) (func
    (try (do                                        ;; region 0
      (block
        (try (do (throw $t)) (delegate 0))          ;; region 1: to the block, in region 0
        (try (do (throw $t)) (delegate 1))          ;; region 2: to the try
        (try (do (throw $t)) (delegate 2))))        ;; region 3: to the function
     (catch_all
       (try (do (throw $t)) (delegate 0))))))       ;; region 4: to the handler, outside of region 0
  )");
  const Function& f = module->functions[0];
  REQUIRE(f.regions.size() == 5);
  const std::vector<uint32_t> next = {NoIndex, 0, 0, NoIndex, NoIndex};
  for (size_t i = 0; i < next.size(); ++i) {
    CAPTURE(i);
    CHECK(f.regions[i].next == next[i]);
    CHECK(f.regions[i].catch_count == (i == 0 ? 1 : 0));
  }
  CHECK(SideTableWalk(*module, f).allow_unreached().run() == "");
}

TEST_CASE("try_table: clauses go to labels, of loops to the loop") {
  // (tag (param i32)) (func
  //   (block (result i32)                                                  0
  //     (loop                                                              2
  //       (block (result i32 exnref)                                       4
  //         (try_table (catch 0 2) (catch_ref 0 0) (catch_all 1)           6
  //           i32.const 1 throw 0)                                         16, 18; end 20
  //         unreachable)                                                   21; end 22
  //       throw_ref)                                                       23; end 24
  //     unreachable)                                                       25; end 26
  //   drop)                                                                27
  const Bytes code = {0x02, 0x7f, 0x03, 0x40, 0x02, 1,    0x1f, 0x40, 3,    0,
                      0,    2,    1,    0,    0,    2,    1,    0x41, 1,    0x08,
                      0,    0x0b, 0x00, 0x0b, 0x0a, 0x0b, 0x00, 0x0b, 0x1a, 0x0b};
  const auto module =
      compile(Bytes::module()
                  .section(1, {3, 0x60, 0, 0, 0x60, 0, 2, 0x7f, 0x69, 0x60, 1, 0x7f, 0})
                  .section(3, {1, 0})
                  .section(13, {1, 0, 2})
                  .section(10, Bytes{1}.sized(Bytes{0}.put(code)))
                  .bytes());
  const Function& f = module->functions[0];
  REQUIRE(f.regions.size() == 1);
  REQUIRE(f.catches.size() == 3);
  CHECK(f.regions[0].begin == f.code_begin + 17);
  CHECK(f.regions[0].end == f.code_begin + 21);
  const uint32_t targets[] = {28, 24, 2};
  const CatchKind kinds[] = {CatchKind::Catch, CatchKind::CatchRef, CatchKind::CatchAll};
  for (size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(f.catches[i].kind == kinds[i]);
    CHECK(f.catches[i].target_pc == f.code_begin + targets[i]);
    CHECK(f.catches[i].target_stp == 0);
    CHECK(f.catches[i].height == 0);
    CHECK_FALSE(f.catches[i].legacy);
  }
  CHECK(walk(*module) == "");
}

TEST_CASE("dead code has no try regions") {
  const auto module = compile(R"((module (tag $t) (func
    unreachable
    (try (do (throw $t)) (catch $t) (catch_all (rethrow 0))))))");
  CHECK(module->functions[0].regions.empty());
  CHECK(module->functions[0].catches.empty());
  CHECK(module->functions[0].side_table_size == 0);
  CHECK(module->functions[0].local_slots == 0);
}

TEST_CASE("disassembly") {
  const auto module = compile(R"((module (memory 1) (func $f (param i32) (result i32) (local i64)
    (if (result i32) (local.get 0)
      (then (i32.load8_u offset=8 (i32.const -1)))
      (else (block (br_table 0 0 0 (i32.const 0))) (i32.trunc_f64_s (f64.const 0.5)))))))");
  const std::string text = disassemble(*module, 0);
  CHECK(text.starts_with("(func (;0: f;) (param i32) (result i32) (local i64)\n"));
  for (const char* line :
       {"  if (result i32)\n", "    i32.const -1\n", "    i32.load8_u offset=8\n", "  else\n",
        "      br_table 0 0 0\n", "    f64.const 0.5\n"}) {
    CAPTURE(text);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(std::count(text.begin(), text.end(), '\n') == 2 + module->functions[0].instruction_count);
}
