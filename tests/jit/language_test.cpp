// Exceptions through every kind of frame, tail calls of every signature, v128 across borders, atomics and more memories: in
// machine code, mixed with the interpreter, with few registers and without AVX.
#include <doctest/doctest.h>

#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

krait::jit::Options even() { return {.verify = true, .decline = [](uint32_t func) { return func % 2 == 0; }}; }
krait::jit::Options odd() { return {.verify = true, .decline = [](uint32_t func) { return func % 2 == 1; }}; }

const krait::jit::Options All[] = {{.verify = true},
                                   {.registers = 4, .seed = 3, .verify = true},
                                   {.baseline = true, .verify = true},
                                   even(),
                                   odd()};

struct JitGuest {
  explicit JitGuest(const krait::jit::Options& options)
      : compiler(krait::jit::make_compiler(options)), guest(StoreOptions{.compiler = compiler.get()}) {}
  std::unique_ptr<Compiler> compiler;
  Guest guest;
};

/// A cycle of tail calls in which arguments on the stack come, go and trade places.
constexpr const char* TailCalls = R"((module
  (type $few (func (param i64) (result i64 i64 i64)))
  (table 3 funcref) (table $other 3 funcref)
  (elem (table 0) (i32.const 0) func $few $many $mixed)
  (elem (table $other) (i32.const 0) func $few $many $mixed)
  (func $few (export "few") (param i64) (result i64 i64 i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1) (i64.const 2) (i64.const 3))))
    (return_call $many (i64.sub (local.get 0) (i64.const 1)) (i64.const 10) (i64.const 20) (i64.const 30) (i64.const 40)
      (i64.const 50) (i64.const 60) (i64.const 70) (i64.const 80)))
  (func $many (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64)
    (if (i64.eqz (local.get 0)) (then (return (local.get 6) (local.get 7) (local.get 8))))
    (if (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1)))
      (then (return_call_indirect $other (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64)
        (i64.sub (local.get 0) (i64.const 1)) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 8) (local.get 6) (local.get 7) (i32.const 1))))
    (return_call_indirect (param v128 i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64 v128 i64)
      (result i64 i64 i64)
      (v128.const i64x2 5 6) (i64.sub (local.get 0) (i64.const 1)) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
      (local.get 5) (local.get 6) (local.get 7) (f64.const 1) (f64.const 2) (f64.const 3) (f64.const 4) (f64.const 5)
      (f64.const 6) (f64.const 7) (v128.const i64x2 7 8) (local.get 8) (i32.const 2)))
  (func $mixed (param v128 i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64 v128 i64) (result i64 i64 i64)
    (if (i64.eqz (local.get 1))
      (then (return (local.get 17) (i64x2.extract_lane 1 (local.get 16)) (i64x2.extract_lane 0 (local.get 0)))))
    (return_call $few (i64.sub (local.get 1) (i64.const 1))))
  (func (export "run") (param i64) (result i64)
    (call $few (local.get 0)) (local.set 0)
    (i64.add (i64.mul (i64.const 1000))) (i64.add (i64.mul (local.get 0) (i64.const 1000000)))))
)";

}  // namespace

TEST_CASE("tail calls of any signature take no stack, and results beyond the registers come home") {
  int64_t expected[24];
  for (int64_t n = 0; n < 24; ++n) {
    Guest interpreted;
    interpreted.instantiate(TailCalls);
    expected[n] = interpreted.get<int64_t>("run", n);
  }
  for (const auto& options : All) {
    JitGuest g(options);
    g.guest.instantiate(TailCalls);
    for (int64_t n = 0; n < 24; ++n) CHECK(g.guest.get<int64_t>("run", n) == expected[n]);
    CHECK(g.guest.call<int64_t>("run", int64_t{300000}).ok());
    CHECK(g.guest.call<int64_t>("run", int64_t{300001}).ok());
  }
}

namespace {
constexpr const char* Thrower = R"((module $thrower
  (import "h" "again" (func $again (param i32) (result i32)))
  (tag $t (export "t") (param i64 f64 v128 i32)) (tag $u (export "u"))
  (func $throw (export "throw") (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 1))
      (then (throw $t (i64.const 40) (f64.const 1.5) (v128.const i32x4 1 2 3 4) (i32.const 7))))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $u)))
    (if (i32.eq (local.get 0) (i32.const 3)) (then (return (call $again (i32.const 1)))))
    (i32.const 5))))";

/// Values of each kind live across the calls, in more places than there are registers.
constexpr const char* Catcher = R"((module $catcher
  (import "m" "throw" (func $throw (param i32) (result i32)))
  (import "m" "t" (tag $t (param i64 f64 v128 i32))) (import "m" "u" (tag $u))
  (memory 1)
  (func $between (param i32 i32 i32 i32 i32 i32 i32 i64) (result i32)
    (i32.add (call $throw (local.get 0)) (i32.wrap_i64 (local.get 7))))
  (func $catch (export "catch") (param i32) (result f64)
    (local $a i32) (local $b i64) (local $c f64) (local $v v128) (local $d i32) (local $e i32) (local $f i32) (local $g i32)
    (local.set $a (i32.add (local.get 0) (i32.const 1))) (local.set $b (i64.extend_i32_u (local.get $a)))
    (local.set $c (f64.convert_i32_s (local.get $a))) (local.set $v (i32x4.splat (local.get $a)))
    (local.set $d (i32.mul (local.get $a) (i32.const 3))) (local.set $e (i32.mul (local.get $a) (i32.const 5)))
    (local.set $f (i32.mul (local.get $a) (i32.const 7))) (local.set $g (i32.mul (local.get $a) (i32.const 9)))
    (try
      (do
        (drop (call $between (i32.const 0) (local.get $a) (local.get $a) (local.get $a) (local.get $a) (local.get $a)
          (local.get $a) (local.get $b)))
        (local.set $g (i32.add (local.get $g) (i32.const 100)))
        (drop (call $between (local.get 0) (local.get $a) (local.get $a) (local.get $a) (local.get $a) (local.get $a)
          (local.get $a) (local.get $b)))
        (local.set $g (i32.add (local.get $g) (i32.const 1000))))
      (catch $t
        (local.set $d (i32.add (local.get $d)))
        (local.set $v (i32x4.add (local.get $v)))
        (local.set $c (f64.add (local.get $c)))
        (local.set $b (i64.add (local.get $b))))
      (catch_all (local.set $f (i32.add (local.get $f) (i32.const 10000)))))
    (f64.add (local.get $c) (f64.convert_i64_s (i64.add (local.get $b) (i64.extend_i32_u
      (i32.add (i32.add (i32.add (local.get $d) (local.get $e)) (i32.add (local.get $f) (local.get $g)))
        (i32x4.extract_lane 3 (local.get $v))))))))
  (func $outer (export "outer") (param i32) (result i32)
    (try (result i32)
      (do (try (result i32) (do (call $between (local.get 0) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
             (i32.const 1) (i64.const 0)))
           (catch $u (rethrow 0))
           (catch $t (drop) (drop) (drop) (drop) (i32.const 11))))
      (catch $u (i32.const 22))))
  (func $loop (export "loop") (param i32) (result i32) (local i32)
    (loop $again
      (try (do (drop (call $throw (i32.const 2))))
        (catch $u (local.set 1 (i32.add (local.get 1) (i32.const 3)))))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))
)";

/// Both modules in a store; the host in between calls back into the thrower.
struct Pair {
  explicit Pair(Compiler* compiler) : guest(StoreOptions{.compiler = compiler}) {
    guest.linker.func("h", "again", [this](Caller& caller, int32_t x) -> Outcome<int32_t> {
      return call<int32_t>(caller.store(), *thrower->export_func("throw"), x);
    });
    thrower = &guest.instantiate(Thrower);
    guest.linker.define_instance("m", *thrower);
    guest.instantiate(Catcher);
  }
  Guest guest;
  Instance* thrower = nullptr;
};
}  // namespace

TEST_CASE("exceptions come through machine code, interpreter, host and other instances with all values right") {
  Pair interpreted(nullptr);
  for (const auto& options : All) {
    const auto compiler = krait::jit::make_compiler(options);
    Pair pair(compiler.get());
    for (int32_t n = 0; n < 4; ++n) {
      CHECK(pair.guest.get<double>("catch", n) == interpreted.guest.get<double>("catch", n));
      CHECK(pair.guest.get<int32_t>("outer", n) == interpreted.guest.get<int32_t>("outer", n));
    }
    CHECK(pair.guest.get<int32_t>("loop", 20000) == 60000);  // more than are kept: landed ones are collected
    CHECK(krait::test::kind_of(call<int32_t>(pair.guest.store, *pair.thrower->export_func("throw"), 2)) == TrapKind::UncaughtException);
  }
}

TEST_CASE("v128 crosses every border: host, tables, imports, slots, stack arguments and results") {
  const char* text = R"((module
    (import "h" "swap" (func $swap (param v128 i32 v128) (result v128 v128)))
    (table 2 funcref) (elem (i32.const 0) func $swap $sum)
    (global $g (mut v128) (v128.const i64x2 1 2))
    (func $sum (param v128 v128 v128 v128 v128 v128 v128 v128 v128 i32) (result v128 v128 v128 v128)
      (i32x4.add (local.get 0) (local.get 8)) (local.get 7) (i32x4.splat (local.get 9)) (local.get 8))
    (func (export "run") (param i32) (result i64) (local v128 v128)
      (local.set 1 (i32x4.splat (local.get 0)))
      (call_indirect (param v128 i32 v128) (result v128 v128) (local.get 1) (i32.const 1) (global.get $g) (i32.const 0))
      (local.set 2) (global.set $g)
      (call_indirect (param v128 v128 v128 v128 v128 v128 v128 v128 v128 i32) (result v128 v128 v128 v128)
        (global.get $g) (local.get 2) (local.get 2) (local.get 2) (local.get 2) (local.get 2) (local.get 2) (local.get 1)
        (v128.const i32x4 9 8 7 6) (local.get 0) (i32.const 1))
      (local.set 2) (i32x4.add (local.get 2)) i32x4.add i32x4.mul
      (global.set $g (i64x2.add (global.get $g) (local.tee 1)))
      (i64.add (i64x2.extract_lane 0 (global.get $g)) (i64x2.extract_lane 1 (local.get 1))))))";
  auto run = [&](Compiler* compiler, int32_t n) {
    Guest guest(StoreOptions{.compiler = compiler});
    guest.linker.func("h", "swap", [](V128 a, int32_t, V128 b) -> std::tuple<V128, V128> { return {b, a}; });
    guest.instantiate(text);
    return guest.get<int64_t>("run", n);
  };
  for (const auto& options : All) {
    const auto compiler = krait::jit::make_compiler(options);
    for (int32_t n : {0, 3, -77}) CHECK(run(compiler.get(), n) == run(nullptr, n));
  }
}

TEST_CASE("memories other than the first, and shared ones, are bounded as the first is") {
  const char* text = R"((module
    (memory 1) (memory $m 1 2) (memory $s 1 2 shared)
    (func (export "roundtrip") (param i32 i64) (result i64)
      (i64.store $m offset=8 (local.get 0) (local.get 1))
      (i64.atomic.store $s offset=16 (local.get 0) (i64.load $m offset=8 (local.get 0)))
      (drop (i64.atomic.rmw.xor $s offset=16 (local.get 0) (i64.const -1)))
      (drop (i32.atomic.rmw8.cmpxchg_u $s offset=16 (local.get 0) (i32.const 0x1ff) (i32.const 1)))
      (i64.xor (i64.load $s offset=16 (local.get 0)) (i64.load (local.get 0))))
    (func (export "far") (param i32) (result i32) (i32.load8_u $m offset=0xfffffff0 (local.get 0)))
    (func (export "unaligned") (param i32) (result i32) (i32.atomic.rmw.add $s offset=0xfffffff0 (local.get 0) (i32.const 1)))
    (func (export "grow") (param i32) (result i32) (drop (memory.grow $m (local.get 0))) (memory.size $m))
    (func (export "wait") (param i32) (result i32) (memory.atomic.wait32 $s (local.get 0) (i32.const 1) (i64.const 0)))
    (func (export "wait_unshared") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 1) (i64.const 0)))
    (func (export "notify") (param i32) (result i32) (memory.atomic.notify $s (local.get 0) (i32.const 1)))))";
  for (const auto& options : All) {
    JitGuest g(options);
    g.guest.instantiate(text);
    CHECK(g.guest.get<int64_t>("roundtrip", 8, int64_t{0x1234567890}) == ~int64_t{0x1234567890});
    CHECK(krait::test::kind_of(g.guest.call<int64_t>("roundtrip", 65528, int64_t{1})) == TrapKind::MemoryOutOfBounds);
    CHECK(krait::test::kind_of(g.guest.call<int64_t>("roundtrip", 4, int64_t{1})) == TrapKind::UnalignedAtomic);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("far", 0)) == TrapKind::MemoryOutOfBounds);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("far", 16)) == TrapKind::MemoryOutOfBounds);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("unaligned", 2)) == TrapKind::UnalignedAtomic);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("unaligned", 16)) == TrapKind::MemoryOutOfBounds);
    CHECK(g.guest.get<int32_t>("grow", 1) == 2);
    CHECK(g.guest.get<int32_t>("grow", 1) == 2);
    CHECK(g.guest.get<int64_t>("roundtrip", 1024, int64_t{-5}) == 4);
    CHECK(g.guest.get<int32_t>("wait", 512) == 1);
    CHECK(g.guest.get<int32_t>("notify", 512) == 0);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("wait", 2)) == TrapKind::UnalignedAtomic);
    CHECK(krait::test::kind_of(g.guest.call<int32_t>("wait_unshared")) == TrapKind::ExpectedSharedMemory);
  }
}
