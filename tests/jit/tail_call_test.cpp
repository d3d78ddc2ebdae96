// Tail calls that leave an instance or an engine: in constant stack, interruptible, with right results and backtraces.
#include <doctest/doctest.h>

#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::jit::Codegen;
using krait::jit::Options;
using krait::test::Guest;

namespace {

/// Two instances count down in turns, by an imported function, by this table 0 and by an imported one; arguments come and go on
/// the stack, results lie in memory.
constexpr const char* Ping = R"((module $ping
  (type $t (func (param i64 i64) (result i64 i64 i64)))
  (type $wide (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64)))
  (import "h" "here" (func $here))
  (table $own (export "own") 4 funcref) (table $shared (export "shared") 4 funcref)
  (elem (table $own) (i32.const 0) func $ping $wide)
  (elem (table $shared) (i32.const 0) func $ping $wide)
  (func $wide (export "wide") (type $wide)
    (if (i64.eqz (local.get 0)) (then (call $here) (return (local.get 1) (local.get 7) (local.get 8))))
    (return_call_indirect $own (type $t) (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)) (i32.const 2)))
  (func $ping (export "ping") (type $t)
    (if (i64.eqz (local.get 0)) (then (call $here) (return (local.get 1) (i64.const 20) (i64.const 30))))
    (if (i64.eqz (i64.and (local.get 0) (i64.const 1)))
      (then (return_call_indirect $own (type $t) (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)) (i32.const 2))))
    (return_call_indirect $shared (type $wide) (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)) (i64.const 2)
      (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 20) (i64.const 30) (i32.const 3)))
  (func (export "run") (param i64) (result i64 i64 i64) (call $ping (local.get 0) (i64.const 0)))))";

constexpr const char* Pong = R"((module $pong
  (type $t (func (param i64 i64) (result i64 i64 i64)))
  (type $wide (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64)))
  (import "ping" "ping" (func $ping (type $t))) (import "ping" "wide" (func $ping_wide (type $wide)))
  (import "ping" "own" (table $own 4 funcref)) (import "ping" "shared" (table $shared 4 funcref))
  (elem (table $own) (i32.const 2) func $pong $wide)
  (elem (table $shared) (i32.const 2) func $pong $wide)
  (func $pong (type $t)
    (if (i64.eqz (local.get 0)) (then (return (local.get 1) (i64.const 20) (i64.const 30))))
    (if (i64.eqz (i64.and (local.get 0) (i64.const 2)))
      (then (return_call $ping (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)))))
    (return_call $ping_wide (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)) (i64.const 2)
      (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 20) (i64.const 30)))
  (func $wide (type $wide)
    (if (i64.eqz (local.get 0)) (then (return (local.get 1) (local.get 7) (local.get 8))))
    (return_call_indirect $own (type $t) (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 1) (i64.const 1)) (i32.const 0)))
  (func (export "run") (param i64) (result i64 i64 i64) (call $pong (local.get 0) (i64.const 0)))))";

Options in_place(uint32_t hot) {
  Options options;
  options.codegen = Codegen::InPlace;
  options.hot = hot;
  options.verify = true;
  return options;
}

const Options All[] = {{.verify = true},
                       {.registers = 4, .seed = 3, .verify = true},
                       {.verify = true, .decline = [](uint32_t func) { return func % 2 == 0; }},
                       {.verify = true, .decline = [](uint32_t func) { return func % 2 == 1; }},
                       in_place(1),
                       in_place(7)};

/// Both instances in a store, with `options` or interpreted.
struct Pair {
  explicit Pair(const Options* options)
      : compiler(options ? krait::jit::make_compiler(*options) : nullptr), guest(StoreOptions{.compiler = compiler.get()}) {
    guest.linker.func("h", "here", [this](Caller& caller) -> Outcome<> {
      Trap trap = Trap::make(TrapKind::Host);
      caller.store().capture_trace(trap);
      frames = trap.trace.size();
      stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
      return {};
    });
    ping = &guest.instantiate(Ping);
    guest.linker.define_instance("ping", *ping);
    guest.instantiate(Pong);
  }
  void run(Instance& from, int64_t hops) {
    Slot slots[3] = {static_cast<Slot>(hops), 0, 0};
    const Outcome<> done = guest.store.call(*from.export_func("run"), slots);
    REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().to_string()));
    CHECK(static_cast<int64_t>(slots[0]) == hops);
    CHECK(slots[1] == 20);
    CHECK(slots[2] == 30);
  }
  std::unique_ptr<Compiler> compiler;
  Guest guest;
  Instance* ping = nullptr;
  size_t frames = 0;
  uintptr_t stack = 0;
};

}  // namespace

TEST_CASE("ten million tail calls between two instances take no stack, in machine code, interpreted and mixed") {
  for (const Options* options = nullptr; options != std::end(All); options = options ? options + 1 : All) {
    CAPTURE(options ? options - All : -1);
    Pair pair(options);
    for (Instance* from : {pair.ping, pair.guest.instance}) {
      pair.run(*from, 2000);  // code in place is there
      for (int64_t hops = 0; hops < 9; ++hops) pair.run(*from, hops);
      const int64_t ends_in_ping = from == pair.ping ? 4 : 5;
      pair.run(*from, ends_in_ping);
      const uintptr_t stack = pair.stack;
      pair.stack = 0;
      pair.run(*from, (options ? 5'000'000 : 500'000) + ends_in_ping - 4);
      CHECK(pair.stack == stack);
      CHECK(pair.frames == 2);
    }
  }
}

TEST_CASE("loops made of tail calls are interrupted") {
  constexpr const char* Spins[] = {"(func $spin (export \"spin\") (return_call $spin))",
                                   "(table funcref (elem $spin)) (func $spin (export \"spin\") (return_call_indirect (i32.const 0)))",
                                   "(func $other (return_call $spin)) (func $spin (export \"spin\") (return_call $other))"};
  for (const char* spin : Spins)
    for (const Options& options : All) {
      CAPTURE(spin);
      CAPTURE(&options - All);
      const auto compiler = krait::jit::make_compiler(options);
      Guest guest(StoreOptions{.compiler = compiler.get()});
      guest.instantiate(std::string("(module") + spin + ")");
      int polls = 0;
      guest.store.on_interrupt = [&]() -> Outcome<> {
        if (++polls == 20) return Trap::make(TrapKind::Interrupted);
        guest.store.interrupt(InterruptCall);
        return {};
      };
      guest.store.interrupt(InterruptCall);
      CHECK(krait::test::kind_of(guest.call<void>("spin")) == TrapKind::Interrupted);
      CHECK(polls == 20);
    }
}

TEST_CASE("what a tail call into another instance throws passes the frame that it left and is caught below") {
  constexpr const char* Thrower = R"((module (tag $e (export "e") (param i32))
    (func (export "throw") (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 42)))) (local.get 0))
    (func (export "trap") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))))";
  constexpr const char* Catcher = R"((module
    (import "m" "e" (tag $e (param i32)))
    (import "m" "throw" (func $throw (param i32) (result i32))) (import "m" "trap" (func $trap (param i32) (result i32)))
    (func $leaves (param i32) (result i32)
      (try (result i32) (do (return_call $throw (local.get 0))) (catch $e (drop) (i32.const 1))))
    (func (export "throws") (param i32) (result i32)
      (try (result i32) (do (call $leaves (local.get 0))) (catch $e (i32.add (i32.const 1000)))))
    (func $into (param i32) (result i32) (return_call $trap (local.get 0)))
    (func (export "traps") (param i32) (result i32) (call $into (local.get 0)))
    (func (export "outermost") (param i32) (result i32) (return_call $throw (local.get 0)))))";
  for (const Options& options : All) {
    CAPTURE(&options - All);
    const auto compiler = krait::jit::make_compiler(options);
    Guest guest(StoreOptions{.compiler = compiler.get()});
    guest.linker.define_instance("m", guest.instantiate(Thrower));
    guest.instantiate(Catcher);
    for (int i = 0; i < 10; ++i) {
      CHECK(guest.get<int32_t>("throws", 7) == 7);
      CHECK(guest.get<int32_t>("throws", 0) == 1042);
      CHECK(guest.get<int32_t>("outermost", 7) == 7);
      CHECK(krait::test::kind_of(guest.call<int32_t>("outermost", 0)) == TrapKind::UncaughtException);
      const auto trapped = guest.call<int32_t>("traps", 0);
      CHECK(krait::test::kind_of(trapped) == TrapKind::DivideByZero);
      CHECK(trapped.error().trace.size() == 2);  // the frame between them was left
    }
  }
}
