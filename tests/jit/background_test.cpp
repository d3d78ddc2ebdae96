// Codegen behind running code: calls and loops that move over, what they keep, and the threads behind.
#include <doctest/doctest.h>

#include <fstream>
#include <thread>

#include "jit/background.hpp"
#include "tests/engine/guest.hpp"
#include "tests/jit/memory_cache.hpp"

using namespace krait::engine;
using krait::jit::BackgroundImage;
using krait::jit::Codegen;
using krait::jit::Options;
using krait::test::Guest;
using krait::test::MemoryCache;

namespace {

Options in_place(uint32_t hot) {
  Options options;
  options.codegen = Codegen::InPlace;
  options.hot = hot;
  options.verify = true;
  return options;
}

Options behind(uint32_t hot = 1) {
  Options options = in_place(hot);
  options.codegen = Codegen::Behind;
  return options;
}

struct MixedGuest {
  explicit MixedGuest(Options options)
      : compiler(krait::jit::make_compiler(std::move(options))), guest(StoreOptions{.compiler = compiler.get()}) {
    guest.linker.func("h", "in_code", [](Caller& caller) -> Outcome<int32_t> {
      return caller.store().activation()->kind == Activation::Kind::Machine ? 1 : 0;
    });
  }
  std::unique_ptr<Compiler> compiler;
  Guest guest;
};

std::shared_ptr<const krait::jit::Image> wait_until_finished(const CodeImage& image) {
  for (int i = 0; i < 60'000; ++i) {
    if (auto all = static_cast<const BackgroundImage&>(image).finished()) return all;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return nullptr;
}

/// Ten functions of some loops each, and what they give together.
constexpr const char* Busy = R"((module
  (memory 1)
  (table 2 funcref) (elem (i32.const 0) $square $twice)
  (type $unary (func (param i32) (result i32)))
  (global $calls (mut i32) (i32.const 0))
  (func $square (type $unary) (i32.mul (local.get 0) (local.get 0)))
  (func $twice (type $unary) (i32.shl (local.get 0) (i32.const 1)))
  (func $sum (param i32) (result i64) (local i64)
    (loop $l
      (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (call_indirect (type $unary) (local.get 0)
        (i32.and (local.get 0) (i32.const 1))))))
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $fib (param i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "run") (result i64)
    (i32.store (i32.const 8) (i32.const 0))
    (i64.add (call $sum (i32.const 1000)) (i64.extend_i32_u (i32.add (call $fib (i32.const 15)) (i32.load (i32.const 8)))))))
)";
/// The even ones squared, the odd ones doubled; fib(15); the turns of the loop.
constexpr int64_t BusyResult = 167'167'000 + 500'000 + 610 + 1000;

}  // namespace

TEST_CASE("a loop moves to machine code with its locals, operands below it and parameters, and gives its results") {
  for (uint32_t hot = 1; hot < 30; ++hot) {
    CAPTURE(hot);
    MixedGuest g(in_place(hot));
    g.guest.instantiate(R"((module
      (import "h" "in_code" (func $in_code (result i32)))
      (func (export "run") (param $n i32) (param $x f64) (result i32 f64 i64) (local $i i32) (local $moved i32) (local $f f32)
        (i32.const 100)                       ;; stays below both loops
        (local.set $f (f32.const 0.5))
        (i64.const -7)                        ;; the parameter of the outer loop
        (loop $outer (param i64) (result i64)
          (i64.add (i64.const 1))
          (local.set $i (i32.const 3))
          (f64.const 2.5)                     ;; below the inner loop
          (loop $inner
            (local.set $moved (i32.add (local.get $moved) (call $in_code)))
            (local.set $f (f32.add (local.get $f) (f32.const 1)))
            (br_if $inner (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (local.set $x (f64.add (local.get $x)))
          (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i64.add (i64.trunc_f32_s (local.get $f)))
        (local.set $n (i32.wrap_i64))
        (i32.add (i32.shl (i32.gt_s (local.get $moved) (i32.const 0)) (i32.const 20)))
        (local.get $x)
        (i64.extend_i32_s (local.get $n)))))");
    Slot slots[3] = {10, 0, 0};
    slots[1] = std::bit_cast<Slot>(1.25);
    REQUIRE(g.guest.store.call(*g.guest.instance->export_func("run"), slots).ok());
    CHECK(static_cast<uint32_t>(slots[0]) == 100 + (1u << 20));   // it did move
    CHECK(std::bit_cast<double>(slots[1]) == 1.25 + 10 * 2.5);
    CHECK(static_cast<int64_t>(slots[2]) == -7 + 10 + 30);
  }
}

TEST_CASE("a value that is set in front of an inner loop and used behind it is right whichever loop was entered") {
  constexpr const char* Text = R"((module
    (func (export "run") (param $n i32) (result i32) (local $a i32) (local $b i32) (local $i i32) (local $sum i32)
      (local.set $b (i32.const 5))
      (block $out
        (loop $outer
          (local.set $a (i32.mul (local.get $n) (i32.const 3)))
          (br_if $out (i32.eqz (local.get $n)))
          (if (i32.and (local.get $n) (i32.const 1)) (then (local.set $b (i32.add (local.get $b) (i32.const 2)))))
          (local.set $i (i32.const 4))
          (local.get $a)
          (loop $inner
            (local.set $sum (i32.mul (i32.add (local.get $sum) (local.get $a)) (i32.const 7)))
            (br_if $inner (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (local.set $sum (i32.xor (i32.add (local.get $sum)) (local.get $b)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $outer)))
      (i32.add (local.get $sum) (local.get $b)))))";
  Guest interpreted;
  interpreted.instantiate(Text);
  const auto expected = interpreted.get<int32_t>("run", 6);
  for (uint32_t hot = 1; hot < 25; ++hot) {
    CAPTURE(hot);
    MixedGuest g(in_place(hot));
    g.guest.instantiate(Text);
    CHECK(g.guest.get<int32_t>("run", 6) == expected);
  }
}

TEST_CASE("a trap in a loop that moved has one backtrace through both engines, each frame once") {
  for (const uint32_t hot : {1, 2, 5, 9}) {
    CAPTURE(hot);
    MixedGuest g(in_place(hot));
    g.guest.instantiate(R"((module
      (func $divide (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
      (func $loops (param i32) (result i32) (local i32)
        (loop $l
          (local.set 1 (i32.add (local.get 1) (call $divide (local.get 0))))
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br $l))
        (local.get 1))
      (func (export "run") (param i32) (result i32) (call $loops (local.get 0)))))");
    const auto done = g.guest.call<int32_t>("run", 20);
    REQUIRE_FALSE(done.ok());
    const Trap& trap = done.error();
    CHECK(trap.kind == TrapKind::DivideByZero);
    REQUIRE(trap.trace.size() == 3);
    CHECK(trap.trace[0].function == "divide");
    CHECK(trap.trace[1].function == "loops");
    CHECK(trap.trace[2].func_index == 2);
    const auto& bytes = g.guest.instance->module().bytes();
    CHECK(static_cast<uint8_t>(bytes[trap.trace[0].offset]) == 0x6e);  // i32.div_u
    CHECK(static_cast<uint8_t>(bytes[trap.trace[1].offset]) == 0x10);  // call
    CHECK(static_cast<uint8_t>(bytes[trap.trace[2].offset]) == 0x10);
  }
}

TEST_CASE("a trap of the moved loop itself names it and its instruction") {
  MixedGuest g(in_place(2));
  g.guest.instantiate(R"((module (memory 1)
    (func $walk (export "run") (param i32) (result i32)
      (loop $l (drop (i32.load8_u (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 1024))) (br $l))
      (local.get 0))))");
  const auto done = g.guest.call<int32_t>("run", 0);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().kind == TrapKind::MemoryOutOfBounds);
  REQUIRE(done.error().trace.size() == 1);
  CHECK(done.error().trace[0].function == "walk");
  CHECK(static_cast<uint8_t>(g.guest.instance->module().bytes()[done.error().trace[0].offset]) == 0x2d);
}

TEST_CASE("exceptions pass loops that moved, and functions that catch work on") {
  for (uint32_t hot = 1; hot < 12; ++hot) {
    CAPTURE(hot);
    MixedGuest g(in_place(hot));
    g.guest.instantiate(R"((module
      (tag $e (param i32))
      (func $maybe (param i32) (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 42)))))
      (func $loops (param i32)
        (loop $l (call $maybe (local.get 0)) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l)))
      (func (export "run") (param i32) (result i32) (local $sum i32)
        (loop $again
          (local.set $sum (i32.add (local.get $sum)
            (try (result i32) (do (call $loops (i32.const 9)) (i32.const 0)) (catch $e))))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $sum))))");
    CHECK(g.guest.get<int32_t>("run", 5) == 5 * 42);
  }
}

TEST_CASE("loops move out of, into and beside try blocks, and the right handler catches what is thrown afterwards") {
  constexpr const char* Text = R"((module
    (import "h" "in_code" (func $in_code (result i32)))
    (tag $e (param i32)) (tag $f (param i64 v128)) (tag $g)
    (global $moved (export "moved") (mut i32) (i32.const 0))
    (func $maybe (param i32) (result i32)
      (if (i32.eq (i32.const 0) (i32.rem_u (local.get 0) (i32.const 5))) (then (throw $e (local.get 0))))
      (if (i32.eq (i32.const 1) (i32.rem_u (local.get 0) (i32.const 5))) (then (throw $f (i64.const 9) (v128.const i32x4 1 2 3 4))))
      (if (i32.eq (i32.const 2) (i32.rem_u (local.get 0) (i32.const 5))) (then (throw $g)))
      (i32.mul (local.get 0) (i32.const 3)))
    ;; The loop is inside of two try blocks, has a try of its own, and what leaves it is caught around it.
    (func (export "inside") (param $n i32) (result i32) (local $sum i32) (local $v v128)
      (local.set $v (v128.const i32x4 5 6 7 8))
      (i32.const 1000000)
      (try (result i32)
        (do
          (i32.const 7)
          (try (result i32)
            (do
              (loop $l (result i32)
                (global.set $moved (i32.or (global.get $moved) (call $in_code)))
                (local.set $sum (i32.add (local.get $sum)
                  (try (result i32) (do (call $maybe (local.get $n))) (catch $f (local.set $v) (i32.wrap_i64)))))
                (local.set $v (i32x4.add (local.get $v) (v128.const i32x4 1 1 1 1)))
                (br_if $l (i32.rem_u (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 5)))
                (call $maybe (i32.const 25))))
            (catch $g (i32.add (local.get $n) (i32.const 100))))
          (i32.add))
        (catch $e (i32.add (i32.mul (local.get $sum) (i32.const 10)))))
      (i32.add)
      (i32.add (i32x4.extract_lane 2 (local.get $v))))
    ;; The loop is inside of handlers; both of what they caught are thrown again from there.
    (func $again (param $n i32) (param $outer i32) (local $sum i32)
      (try
        (do (throw $e (i32.const 77)))
        (catch $e
          (local.set $sum)
          (try
            (do (drop (call $maybe (i32.const 2))))
            (catch_all
              (loop $l
                (global.set $moved (i32.or (global.get $moved) (call $in_code)))
                (try (do (drop (call $maybe (local.get $n)))) (catch_all (local.set $sum (i32.add (local.get $sum) (i32.const 3)))))
                (if (i32.eqz (local.get $n)) (then (if (local.get $outer) (then (rethrow 4)) (else (rethrow 3)))))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br $l)))))))
    (func (export "handler") (param $n i32) (result i32)
      (i32.add
        (try (result i32) (do (call $again (local.get $n) (i32.const 1)) (i32.const 0)) (catch $e))
        (try (result i32) (do (call $again (local.get $n) (i32.const 0)) (i32.const 0)) (catch $g (i32.const 10000)) (catch_all (i32.const 1)))))
    ;; The loop is in front of, and behind, a try; an outer loop leads there again.
    (func (export "beside") (param $n i32) (result i32) (local $i i32) (local $sum i32)
      (loop $outer
        (local.set $i (i32.const 4))
        (loop $before (global.set $moved (i32.or (global.get $moved) (call $in_code))) (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get $i) (local.get $n))))
          (br_if $before (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $sum (i32.xor (local.get $sum)
          (try (result i32) (do (call $maybe (local.get $n))) (catch $e (i32.const 1) (i32.add)) (catch_all (local.get $sum)))))
        (local.set $i (i32.const 3))
        (loop $behind (local.set $sum (i32.rotl (local.get $sum) (local.get $i)))
          (br_if $behind (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum))))";
  for (const char* name : {"inside", "handler", "beside"}) {
    CAPTURE(name);
    bool moved = false;
    Guest interpreted;
    interpreted.linker.func("h", "in_code", [](Caller&) -> Outcome<int32_t> { return 0; });
    interpreted.instantiate(Text);
    for (int32_t n = 5; n < 12; ++n) {
      const auto expected = interpreted.get<int32_t>(name, n);
      for (uint32_t hot = 1; hot < 25; ++hot) {
        CAPTURE(hot);
        MixedGuest g(in_place(hot));
        g.guest.instantiate(Text);
        CHECK(g.guest.get<int32_t>(name, n) == expected);
        moved |= g.guest.instance->export_global("moved")->cell.low != 0;
      }
    }
    CHECK(moved);
  }
}

TEST_CASE("a loop that moved is interrupted") {
  MixedGuest g(in_place(3));
  g.guest.instantiate("(module (func (export \"spin\") (loop $l (br $l))))");
  int polls = 0;
  g.guest.store.on_interrupt = [&]() -> Outcome<> {
    if (++polls == 20) return Trap::make(TrapKind::Interrupted);
    g.guest.store.interrupt(InterruptCall);
    return {};
  };
  g.guest.store.interrupt(InterruptCall);
  CHECK(krait::test::kind_of(g.guest.call<void>("spin")) == TrapKind::Interrupted);
  CHECK(polls == 20);
}

TEST_CASE("chains of tail calls stay flat while code appears") {
  for (const Codegen mode : {Codegen::InPlace, Codegen::Behind}) {
    Options options = in_place(1);
    options.codegen = mode;
    MixedGuest g(options);
    g.guest.instantiate(R"((module
      (type $t (func (param i32) (result i32)))
      (table funcref (elem $even $odd))
      (func $even (type $t) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (return_call $odd (i32.sub (local.get 0) (i32.const 1))))))
      (func $odd (type $t) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
        (else (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
      (func (export "even") (type $t) (call $even (local.get 0)))))");
    for (int i = 0; i < 3; ++i) CHECK(g.guest.get<int32_t>("even", 1'000'001) == 0);
    if (mode == Codegen::Behind) {
      REQUIRE(wait_until_finished(*g.guest.instance->code_image()));
      CHECK(g.guest.get<int32_t>("even", 3'000'000) == 1);
    }
  }
}

TEST_CASE("what codegen behind running code leaves in the cache is what codegen ahead does, and the next process finds it") {
  MemoryCache cache_behind, cache_ahead;
  Options options;
  options.codegen = Codegen::Behind;
  options.hot = 1;
  options.cache = &cache_behind;
  {
    MixedGuest g(options);
    g.guest.instantiate(Busy);
    CHECK(g.guest.get<int64_t>("run") == BusyResult);
    const auto all = wait_until_finished(*g.guest.instance->code_image());
    REQUIRE(all);
    CHECK(g.guest.get<int64_t>("run") == BusyResult);
    CHECK(g.guest.instance->code_image()->entry(2) == all->entry(2));  // the finished image took over
  }
  options.codegen = Codegen::Ahead;
  options.cache = &cache_ahead;
  MixedGuest ahead(options);
  ahead.guest.instantiate(Busy);
  REQUIRE(cache_ahead.files().size() == 1);
  CHECK(cache_ahead.files() == cache_behind.files());

  options.codegen = Codegen::Behind;
  MixedGuest next(options);
  next.guest.instantiate(Busy);
  CHECK(next.guest.instance->code_image()->heat() == nullptr);  // complete
  CHECK(next.guest.instance->code_image()->entry(0) != nullptr);
  CHECK(next.guest.get<int64_t>("run") == BusyResult);
}

TEST_CASE("many threads run one image while it comes into being") {
  for (const Codegen mode : {Codegen::Behind, Codegen::InPlace}) {
    Options options = in_place(3);
    options.codegen = mode;
    options.verify = false;
    const auto compiler = krait::jit::make_compiler(options);
    const auto module = krait::test::compiled(Busy);
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 5; ++i) {
          Store store(StoreOptions{.compiler = compiler.get()});
          const auto instance = Linker().instantiate(store, module);
          const auto sum = instance.ok() ? call<int64_t>(store, *(*instance)->export_func("run")) : Outcome<int64_t>(0);
          if (!sum.ok() || *sum != BusyResult) ++wrong;
        }
      });
    threads.clear();
    CHECK(wrong == 0);
  }
}

TEST_CASE("codegen stops when the last owner of an image goes, or the compiler") {
  std::string text = "(module";
  for (int i = 0; i < 400; ++i)
    text += "(func (param i32) (result i32) (loop $l (br_if $l (local.tee 0 (i32.mul (local.get 0) (i32.const " + std::to_string(i) + "))))) (local.get 0))";
  const auto module = krait::test::compiled(text + ")");
  std::weak_ptr<CodeImage> last;
  {
    const auto compiler = krait::jit::make_compiler(behind());
    for (int i = 0; i < 20; ++i) {
      const auto image = compiler->image_for(module);
      CHECK(compiler->image_for(module) == image);
      last = image;
    }
    CHECK(last.use_count() <= static_cast<long>(std::thread::hardware_concurrency()));  // threads in a job at most
  }
  CHECK(last.expired());
}

TEST_CASE("no page is ever writable and executable") {
  MixedGuest g(behind());
  g.guest.instantiate(Busy);
  bool checked = false;
  for (int i = 0; i < 20; ++i) {
    CHECK(g.guest.get<int64_t>("run") == BusyResult);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line); checked = true) CHECK(line.find("wx") == line.npos);
  }
  CHECK(checked);
}

TEST_CASE("vectors in locals and below a loop move with it") {
  for (uint32_t hot = 1; hot < 8; ++hot) {
    CAPTURE(hot);
    MixedGuest g(in_place(hot));
    g.guest.instantiate(R"((module
      (import "h" "in_code" (func $in_code (result i32)))
      (func (export "run") (param $n i32) (result i32) (local $v v128) (local $i i64) (local $moved i32)
        (local.set $i (i64.const 1))
        (v128.const i32x4 1 2 3 4)
        (loop $l
          (local.set $v (i32x4.add (local.get $v) (v128.const i32x4 10 20 30 40)))
          (local.set $i (i64.shl (local.get $i) (i64.const 1)))
          (local.set $moved (i32.or (local.get $moved) (call $in_code)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.set $v (i32x4.add (local.get $v)))
        (i32.add (i32x4.extract_lane 0 (local.get $v)) (i32x4.extract_lane 3 (local.get $v)))
        (i32.add (i32.wrap_i64 (local.get $i)))
        (i32.add (i32.mul (local.get $moved) (i32.const 100000))))))");
    CHECK(g.guest.get<int32_t>("run", 10) == 100'000 + 10 * 50 + 1 + 4 + 1024);
  }
}
