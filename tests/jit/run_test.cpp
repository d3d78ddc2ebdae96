// What runs through the border of machine code: traps and their backtraces, polls, the host, the interpreter in between.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "jit/image.hpp"
#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

struct JitGuest {
  explicit JitGuest(krait::jit::Options options = {})
      : compiler(krait::jit::make_compiler(std::move(options))), guest(StoreOptions{.compiler = compiler.get()}) {}
  std::unique_ptr<Compiler> compiler;
  Guest guest;
};

}  // namespace

TEST_CASE("a trap has the backtrace of machine code, innermost first, with the trapping instruction's offset") {
  JitGuest g;
  g.guest.instantiate(R"((module $deep
    (memory 1)
    (func $load (param i32) (result i32) (i32.load (local.get 0)))
    (func $middle (param i32) (result i32) (i32.add (call $load (local.get 0)) (i32.const 1)))
    (func (export "outer") (param i32) (result i32) (i32.add (call $middle (local.get 0)) (i32.const 1)))))");
  CHECK(g.guest.get<int32_t>("outer", 0) == 2);
  const auto done = g.guest.call<int32_t>("outer", 65533);
  REQUIRE_FALSE(done.ok());
  const Trap& trap = done.error();
  CHECK(trap.kind == TrapKind::MemoryOutOfBounds);
  REQUIRE(trap.trace.size() == 3);
  CHECK(trap.trace[0].function == "load");
  CHECK(trap.trace[1].function == "middle");
  CHECK(trap.trace[2].func_index == 2);
  const auto& bytes = g.guest.instance->module().bytes();
  CHECK(static_cast<uint8_t>(bytes[trap.trace[0].offset]) == 0x28);  // i32.load
  CHECK(static_cast<uint8_t>(bytes[trap.trace[1].offset]) == 0x10);  // call
}

TEST_CASE("frames of machine code, interpreter and host stand in one backtrace") {
  krait::jit::Options options;
  options.decline = [](uint32_t func) { return func == 1; };
  JitGuest g(options);
  g.guest.linker.func("h", "back", [](Caller& caller, int32_t x) -> Outcome<int32_t> {
    return call<int32_t>(caller.store(), *caller.instance()->export_func("inner"), x);
  });
  g.guest.instantiate(R"((module
    (import "h" "back" (func $back (param i32) (result i32)))
    (func $inner (export "inner") (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
    (func $interpreted (param i32) (result i32) (call $back (local.get 0)))
    (func $outer (export "outer") (param i32) (result i32) (call $interpreted (local.get 0)))))");
  CHECK(g.guest.get<int32_t>("outer", 4) == 25);
  const auto done = g.guest.call<int32_t>("outer", 0);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().kind == TrapKind::DivideByZero);
  std::vector<std::string> names;
  for (const TraceFrame& f : done.error().trace) names.push_back(f.function);
  CHECK(names == std::vector<std::string>{"inner", "interpreted", "outer"});
  CHECK(g.guest.get<int32_t>("outer", 5) == 20);
}

TEST_CASE("endless recursion is a trap, and the store stays usable") {
  JitGuest g;
  g.guest.instantiate(R"((module
    (func $down (export "down") (param i64) (result i64)
      (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 1))
        (else (i64.add (i64.const 1) (call $down (i64.sub (local.get 0) (i64.const 1)))))))))");
  const auto done = g.guest.call<int64_t>("down", int64_t{-1});
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().kind == TrapKind::StackOverflow);
  CHECK(done.error().frames_dropped > 0);
  CHECK(g.guest.get<int64_t>("down", int64_t{1000}) == 1001);
}

TEST_CASE("a loop is interrupted, and a poll that goes on keeps all values") {
  JitGuest g;
  g.guest.instantiate(R"((module
    (func (export "forever") (loop $again (br $again)))
    (func (export "count") (param i32) (result f64) (local f64)
      (loop $again
        (local.set 1 (f64.add (local.get 1) (f64.const 0.5)))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1))))");
  int polls = 0;
  g.guest.store.on_interrupt = [&]() -> Outcome<> {
    if (++polls < 10) g.guest.store.interrupt(InterruptCall);
    return {};
  };
  g.guest.store.interrupt(InterruptCall);
  CHECK(g.guest.get<double>("count", 100) == 50);
  CHECK(polls == 10);
  g.guest.store.interrupt(InterruptStop);
  const auto done = g.guest.call<void>("forever");
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().kind == TrapKind::Interrupted);
}

TEST_CASE("no interrupt from another thread is lost where only function entries look for it") {
  JitGuest g;
  g.guest.instantiate(R"((module (func $f (export "run") (param i32)
    (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))))");
  std::atomic<int> seen{0};
  g.guest.store.on_interrupt = [&]() -> Outcome<> {
    seen.fetch_add(1);
    return {};
  };
  bool lost = false;
  std::jthread other([&] {
    for (int i = 0; i < 3000 && !lost; ++i) {
      const int before = seen.load();
      g.guest.store.interrupt(InterruptCall);
      for (int waits = 0; seen.load() == before && !lost; ++waits) {
        if (waits < 1000) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::milliseconds(1));
        lost = waits > 21'000;
      }
    }
    g.guest.store.interrupt(InterruptStop);
  });
  CHECK(krait::test::kind_of(g.guest.call<void>("run", 64)) == TrapKind::Interrupted);
  other.join();
  CHECK_FALSE(lost);
  CHECK(seen.load() >= 3000);
}

TEST_CASE("arguments and results beyond the registers cross every border") {
  const char* text = R"((module
    (import "h" "sum" (func $sum (param i32 i64 i32 i64 i32 i64 i32 i64 f32 f64) (result i64)))
    (func $many (param i32 i64 i32 i64 i32 i64 i32 i64 f32 f64) (result i32 i64 i32 f64 i64)
      (local.get 6)
      (call $sum (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
        (local.get 7) (local.get 8) (local.get 9))
      (local.get 0) (local.get 9) (local.get 7))
    (func (export "run") (param i32) (result i64) (local i64)
      (call $many (local.get 0) (i64.const 2) (i32.const 3) (i64.const 4) (i32.const 5) (i64.const 6) (i32.const 7)
        (i64.const 8) (f32.const 9) (f64.const 10))
      (local.set 1)
      i64.trunc_f64_s
      (local.set 1 (i64.add (local.get 1)))
      i64.extend_i32_u
      i64.add
      (i64.add (local.get 1))
      (local.set 1)
      i64.extend_i32_u
      (i64.add (local.get 1)))))";
  for (int declined : {-1, 0, 1}) {
    krait::jit::Options options;
    if (declined == 0) options.decline = [](uint32_t func) { return func == 0; };
    if (declined == 1) options.decline = [](uint32_t func) { return func == 1; };
    JitGuest g(options);
    g.guest.linker.func("h", "sum", [](int32_t a, int64_t b, int32_t c, int64_t d, int32_t e, int64_t f, int32_t i, int64_t j,
                                       float k, double l) {
      return a + b + c + d + e + f + i + j + static_cast<int64_t>(k) + static_cast<int64_t>(l);
    });
    g.guest.instantiate(text);
    CHECK(g.guest.get<int64_t>("run", 1) == 55 + 7 + 1 + 10 + 8);
  }
}

TEST_CASE("the same bytes come out whatever the number of threads") {
  std::string text = "(module (memory 1) (func $leaf (param i32) (result i32) (i32.load (local.get 0)))";
  for (int i = 0; i < 200; ++i)
    text += "(func (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (i32.const " + std::to_string(i) + ")))";
  const auto module = krait::test::compiled(text + ")");
  std::vector<std::vector<uint8_t>> codes;
  for (uint32_t threads : {1, 2, 5}) {
    const auto compiler = krait::jit::make_compiler({.threads = threads});
    const auto image = compiler->image_for(module);
    const auto code = static_cast<const krait::jit::Image&>(*image).blob().code;
    codes.emplace_back(code.begin(), code.end());
  }
  CHECK(codes[0] == codes[1]);
  CHECK(codes[0] == codes[2]);
}

TEST_CASE("an indirect call reaches the host, other instances and the interpreter through one table") {
  krait::jit::Options options;
  options.decline = [](uint32_t func) { return func == 1; };
  JitGuest g(options);
  g.guest.linker.func("h", "twice", [](int32_t x) { return 2 * x; });
  Instance& other = g.guest.instantiate(R"((module (func (export "negate") (param i32) (result i32)
    (i32.sub (i32.const 0) (local.get 0)))))");
  g.guest.linker.define_instance("other", other);
  g.guest.instantiate(R"((module
    (type $f (func (param i32) (result i32)))
    (import "h" "twice" (func $twice (type $f)))
    (import "other" "negate" (func $negate (type $f)))
    (table 6 funcref)
    (elem (i32.const 0) $twice $negate $plus $interpreted $nothing)
    (func $plus (type $f) (i32.add (local.get 0) (i32.const 1)))
    (func $interpreted (type $f) (i32.mul (local.get 0) (i32.const 100)))
    (func $nothing)
    (func (export "call") (param i32 i32) (result i32)
      (i32.add (i32.const 0) (call_indirect (type $f) (local.get 1) (local.get 0))))))");
  CHECK(g.guest.get<int32_t>("call", 0, 7) == 14);
  CHECK(g.guest.get<int32_t>("call", 1, 7) == -7);
  CHECK(g.guest.get<int32_t>("call", 2, 7) == 8);
  CHECK(g.guest.get<int32_t>("call", 3, 7) == 700);
  CHECK(krait::test::kind_of(g.guest.call<int32_t>("call", 4, 7)) == TrapKind::IndirectCallTypeMismatch);
  CHECK(krait::test::kind_of(g.guest.call<int32_t>("call", 5, 7)) == TrapKind::UninitializedElement);
  CHECK(krait::test::kind_of(g.guest.call<int32_t>("call", 6, 7)) == TrapKind::UndefinedElement);
}
