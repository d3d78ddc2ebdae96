// The passes: what they make of IR, and that it computes what the interpreter says.
#include <doctest/doctest.h>

#include <array>

#include "jit/ir.hpp"
#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

struct Pair {
  explicit Pair(const std::string& wat)
      : compiler(krait::jit::make_compiler({.verify = true})), fast(StoreOptions{.compiler = compiler.get()}) {
    fast.instantiate(wat);
    slow.instantiate(wat);
  }
  std::unique_ptr<Compiler> compiler;
  Guest fast, slow;
};

/// The text of the first function's stage `name` ("x86-64" or a pass, after which it is the IR), without the passes in `without`.
std::string after(const std::string& wat, const std::string& name, std::vector<std::string> without = {}) {
  for (const krait::jit::Stage& stage : krait::jit::stages_of(*krait::test::compiled(wat), 0, {.disable = std::move(without), .verify = true}))
    if (stage.name == name) return stage.text;
  FAIL("no stage " << name);
  return "";
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

template <typename T>
void check_divisions(const std::string& type) {
  constexpr std::array<int64_t, 22> Divisors = {2, 3, 5, 6, 7, 10, 12, 25, 28, 100, 125, 641, 1000, 1021, 65536, 65537, 1000000007,
                                                0x7fffffff, -2, -3, -7, -1000};
  constexpr std::array<int64_t, 14> Dividends = {0, 1, 2, 6, 7, 99, 1000, -1, -2, -7, -1000, 0x7fffffffffffffff, INT64_MIN, 0x123456789abcdef};
  std::string wat = "(module";
  for (int64_t d : Divisors)
    for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"})
      wat += "(func (export \"" + std::string(op) + std::to_string(d) + "\") (param " + type + ") (result " + type + ") (" + type + "." +
             op + " (local.get 0) (" + type + ".const " + std::to_string(d) + ")))";
  Pair pair(wat + ")");
  for (int64_t d : Divisors)
    for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"})
      for (int64_t x : Dividends)
        for (int64_t nudge : {int64_t{0}, d, 3 * d - 1, int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
          const auto by = static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(nudge));
          const std::string name = op + std::to_string(d);
          CAPTURE(name);
          CAPTURE(by);
          CHECK(pair.fast.get<T>(name, by) == pair.slow.get<T>(name, by));
        }
}

}  // namespace

TEST_CASE("division by constants") {
  check_divisions<int32_t>("i32");
  check_divisions<int64_t>("i64");
}

TEST_CASE("a division by a constant is none; by zero and by -1 it stays, as it may trap") {
  const auto listing = [](const char* op, const char* by) {
    return after(std::string("(module (func (param i64) (result i64) (i64.") + op + " (local.get 0) (i64.const " + by + "))))", "divide");
  };
  for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"}) {
    CHECK(count(listing(op, "7"), "mul_high") == 1);
    CHECK(count(listing(op, "7"), op) == 0);
    CHECK(count(listing(op, "0"), op) == 1);
  }
  CHECK(count(listing("div_s", "-1"), "div_s") == 1);
}

TEST_CASE("an operation that was done on every way is not done again, one that was done on some ways is") {
  const std::string listing = after(R"((module (func (param i32 i32) (result i32)
    (i32.add (i32.mul (local.get 0) (local.get 1))
      (if (result i32) (local.get 0)
        (then (i32.mul (local.get 1) (local.get 0)))
        (else (i32.xor (i32.clz (local.get 0)) (i32.clz (local.get 0)))))))))", "gvn");
  CHECK(count(listing, "mul") == 1);
  CHECK(count(listing, "clz") == 1);
  const std::string sides = after(R"((module (func (param i32 i32) (result i32)
    (i32.add (if (result i32) (local.get 0) (then (i32.clz (local.get 1))) (else (i32.const 3)))
             (i32.clz (local.get 1))))))", "gvn");
  CHECK(count(sides, "clz") == 2);
}

TEST_CASE("a load is forwarded over branches that write nothing and past stores beside it") {
  const std::string join = after(R"((module (memory 1) (func (param i32 i32) (result i32) (local i32)
    (local.set 2 (i32.load (local.get 0)))
    (if (local.get 1) (then (local.set 1 (i32.const 5))) (else (local.set 1 (i32.load (local.get 1)))))
    (i32.add (local.get 1) (i32.add (local.get 2) (i32.load (local.get 0)))))))", "forward");
  CHECK(count(join, "load") == 2);
  const std::string beside = after(R"((module (memory 1) (func (param i32 i64) (result i32) (local i32)
    (local.set 2 (i32.load offset=8 (local.get 0)))
    (i64.store (local.get 0) (local.get 1))
    (i32.add (local.get 2) (i32.load offset=8 (local.get 0))))))", "forward");
  CHECK(count(beside, "load") == 1);
}

TEST_CASE("a load stays where something may have written what it reads") {
  const auto loads = [](const std::string& between) {
    return count(after("(module (import \"a\" \"m\" (memory 1)) (import \"a\" \"m\" (memory 1)) (import \"a\" \"f\" (func))"
                       "(func (param i32 i32) (result i32) (local i32) (local.set 2 (i32.load offset=8 (local.get 0)))" +
                           between + "(i32.add (local.get 2) (i32.load offset=8 (local.get 0)))))",
                       "forward"), "load32");
  };
  CHECK(loads("") == 1);
  CHECK(loads("(i32.store offset=12 (local.get 0) (local.get 1))") == 1);
  CHECK(loads("(i32.store offset=11 (local.get 0) (local.get 1))") == 2);
  CHECK(loads("(i32.store offset=5 (local.get 0) (local.get 1))") == 2);
  CHECK(loads("(i32.store offset=12 (local.get 1) (local.get 1))") == 2);
  CHECK(loads("(i32.store 1 offset=12 (local.get 0) (local.get 1))") == 2);
  CHECK(loads("(call 0)") == 2);
  CHECK(loads("(if (local.get 1) (then (i32.store offset=8 (local.get 0) (local.get 1))))") == 2);
  CHECK(loads("(if (local.get 1) (then (i32.store offset=12 (local.get 0) (local.get 1))))") == 2);
}

TEST_CASE("ranges decide comparisons, drop masks, and say when a jump table's default is never taken") {
  const auto range = [](const std::string& body) {
    return after("(module (memory 1) (func (param i32) (result i32)" + body + "))", "range");
  };
  CHECK(count(range("(i32.lt_u (i32.load8_u (local.get 0)) (i32.const 256))"), "lt_u") == 0);
  CHECK(count(range("(i32.lt_u (i32.load8_u (local.get 0)) (i32.const 255))"), "lt_u") == 1);
  CHECK(count(range("(i32.lt_s (i32.load8_u (local.get 0)) (i32.const -1))"), "lt_s") == 0);
  CHECK(count(range("(i32.lt_s (i32.load8_s (local.get 0)) (i32.const -1))"), "lt_s") == 1);
  CHECK(count(range("(i32.and (i32.shr_u (local.get 0) (i32.const 24)) (i32.const 255))"), "and") == 0);
  CHECK(count(range("(i32.and (i32.shr_u (local.get 0) (i32.const 23)) (i32.const 255))"), "and") == 1);
  const auto bounds = [](const std::string& mask) {
    return count(after("(module (func (param i32) (result i32) (block (block (block (block (br_table 0 1 2 0 3 (i32.and (local.get 0) (i32.const " +
                           mask + "))))  (return (i32.const 1))) (return (i32.const 2))) (return (i32.const 3))) (i32.const 4)))",
                       "x86-64"), "cmp ");
  };
  CHECK(bounds("3") == 0);
  CHECK(bounds("7") == 1);
}

TEST_CASE("small copies and fills are loads and stores; one that leaves memory writes nothing") {
  std::string wat = "(module (memory (export \"m\") 1) (func (export \"get\") (param i32) (result i64) (i64.load (local.get 0)))"
                    "(func (export \"put\") (param i32 i64) (i64.store (local.get 0) (local.get 1)))";
  for (int n = 0; n <= 40; ++n) {
    const std::string size = std::to_string(n);
    wat += "(func (export \"copy" + size + "\") (param i32 i32) (memory.copy (local.get 0) (local.get 1) (i32.const " + size + ")))";
    wat += "(func (export \"fill" + size + "\") (param i32) (memory.fill (local.get 0) (i32.const 0x1a5) (i32.const " + size + ")))";
  }
  Pair pair(wat + ")");
  const auto same = [&](uint32_t from) {
    for (uint32_t at = from; at < from + 128; at += 8)
      if (pair.fast.get<int64_t>("get", static_cast<int32_t>(at)) != pair.slow.get<int64_t>("get", static_cast<int32_t>(at))) return false;
    return true;
  };
  for (Guest* g : {&pair.fast, &pair.slow})
    for (int32_t at : {0, 8, 16, 24, 32, 40, 65472, 65480, 65488, 65496, 65504, 65512, 65520, 65528})
      REQUIRE(g->call<void>("put", at, static_cast<int64_t>(0x0123456789abcdefu * static_cast<uint64_t>(at + 3))).ok());
  for (int n = 0; n <= 40; ++n)
    for (int32_t at : {0, 1, 5, 8, 65536 - n, 65537 - n, 65536})
      for (int32_t from : {0, 3, 65536 - n, 65537 - n}) {
        CAPTURE(n);
        CAPTURE(at);
        CAPTURE(from);
        const std::string size = std::to_string(n);
        CHECK(pair.fast.call<void>("copy" + size, at, from).ok() == pair.slow.call<void>("copy" + size, at, from).ok());
        REQUIRE(same(0));
        REQUIRE(same(65536 - 128));
        if (from != 3) continue;
        CHECK(pair.fast.call<void>("fill" + size, at).ok() == pair.slow.call<void>("fill" + size, at).ok());
        REQUIRE(same(0));
        REQUIRE(same(65536 - 128));
      }
  const std::string copy = after("(module (memory 1) (func (param i32 i32) (memory.copy (local.get 0) (local.get 1) (i32.const 13))))", "bulk");
  CHECK(count(copy, "load64") == 2);
  CHECK(count(copy, "builtin") == 0);
}

TEST_CASE("a leaf that can neither trap nor call stands in its caller; others are called") {
  const auto calls = [](const std::string& callee) {
    return count(after("(module (memory 1) (global $g (mut i32) (i32.const 3)) (func (param i32 i32) (result i32)"
                       "(i32.add (call $f (local.get 0) (local.get 1)) (i32.const 1)))"
                       "(func $f (param i32 i32) (result i32)" + callee + "))", "inline"), "call[");
  };
  CHECK(calls("(i32.mul (local.get 0) (i32.add (local.get 1) (global.get $g)))") == 0);
  CHECK(calls("(local.get 1)") == 0);
  CHECK(calls("(i32.load (local.get 0))") == 1);
  CHECK(calls("(i32.div_u (local.get 0) (local.get 1))") == 1);
  CHECK(calls("(global.set $g (local.get 0)) (local.get 1)") == 1);
  CHECK(calls("(call $f (local.get 0) (local.get 1))") == 1);
  CHECK(calls("(loop (br_if 0 (local.get 0))) (local.get 1)") == 1);
  Pair pair(R"((module (func $f (param i32 i32) (result i32) (i32.sub (local.get 1) (i32.shl (local.get 0) (i32.const 2))))
    (func (export "twice") (param i32) (result i32) (call $f (call $f (local.get 0) (i32.const 100)) (local.get 0)))))");
  for (int32_t x : {0, 1, -7, 1 << 30}) CHECK(pair.fast.get<int32_t>("twice", x) == pair.slow.get<int32_t>("twice", x));
}

TEST_CASE("what a loop computes anew each time moves in front of it, unless it may trap") {
  const auto in_loop = [](const std::string& invariant, const std::string& what) {
    const std::string text = after("(module (func (param i32 i32) (result i32) (local i32)"
                                   "(loop (local.set 2 (i32.add (local.get 2) " + invariant + "))"
                                   "(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 2)))", "licm");
    return count(text.substr(text.find("loop")), what);
  };
  CHECK(in_loop("(i32.mul (local.get 1) (local.get 1))", "mul") == 0);
  CHECK(in_loop("(i32.mul (local.get 1) (local.get 0))", "mul") == 1);
  CHECK(in_loop("(i32.div_u (local.get 1) (local.get 1))", "div_u") == 1);
}

TEST_CASE("copies of a large dispatch can be switched off") {
  std::string wat = "(module (func (param i32) (result i32) (local i32) (loop $next", table, ends;
  for (int i = 0; i < 70; ++i) wat += "(block ", table += " " + std::to_string(i);
  wat += "(br_table" + table + " 0 (i32.and (local.get 0) (i32.const 63)))";
  for (int i = 0; i < 70; ++i)
    wat += ") (local.set 1 (i32.xor (local.get 1) (i32.const " + std::to_string(1000 * i + 7) + "))) (local.set 0 (i32.sub (local.get 0) (i32.const " +
           std::to_string(i + 1) + "))) " + (i % 16 == 5 ? "(return (local.get 1))" : "(br $next)");
  wat += ") (local.get 1)))";
  const auto jumps = [&](std::vector<std::string> without) {
    return count(after(wat, "x86-64", std::move(without)), "jmp r11");
  };
  CHECK(jumps({"dispatch"}) == 1);
  CHECK(jumps({}) >= 60);
}

TEST_CASE("a call in a try region stays in front of its Invoke") {
  const std::string wat = R"((module (memory 1) (tag $t) (func (export "f") (param i32) (result i32)
    (try (result i32) (do (call $leaf (local.get 0))) (catch_all (i32.const 9))))
    (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))))";
  CHECK(count(after(wat, "inline"), "call[") == 1);
}
