// Host functions: typed both ways, trapping, re-entering, seeing the caller.
#include <atomic>
#include <tuple>

#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;
using krait::test::kind_of;

TEST_CASE("values of every type cross the border both ways") {
  Guest guest;
  guest.linker.func("h", "mix", [](uint32_t i, int64_t l, float f, double d) {
    return std::tuple<double, float, int64_t, uint32_t>(d * 2, f * 2, l * 2, i * 2);
  });
  guest.linker.func("h", "vector", [](V128 v, int32_t by) { return V128{v.high + by, v.low + by}; });
  guest.linker.func("h", "reference", [](ExternRef r) { return r.is_null() ? ExternRef::of(9) : r; });
  guest.linker.func("h", "function", [](FuncInstance* f) { return f; });
  guest.instantiate(R"((module
    (import "h" "mix" (func $mix (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
    (import "h" "vector" (func $vector (param v128 i32) (result v128)))
    (import "h" "reference" (func $reference (param externref) (result externref)))
    (import "h" "function" (func $function (param funcref) (result funcref)))
    (elem declare func $mixed)
    (func $mixed (export "mixed") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
      (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "vector") (param v128) (result v128) (call $vector (local.get 0) (i32.const 1)))
    (func (export "reference") (param externref) (result externref) (call $reference (local.get 0)))
    (func (export "function") (result funcref) (call $function (ref.func $mixed)))))");

  const auto mixed = guest.call<std::tuple<double, float, int64_t, uint32_t>>("mixed", 7, int64_t{-8}, 1.5f, 0.25);
  REQUIRE(mixed.ok());
  CHECK(*mixed == std::tuple<double, float, int64_t, uint32_t>(0.5, 3.0f, -16, 14));
  CHECK(guest.get<V128>("vector", V128{10, 20}) == V128{21, 11});
  CHECK(guest.get<ExternRef>("reference", ExternRef{}) == ExternRef::of(9));
  CHECK(guest.get<ExternRef>("reference", ExternRef::of(0)) == ExternRef::of(0));
  CHECK(guest.get<FuncInstance*>("function") == guest.instance->export_func("mixed"));
}

TEST_CASE("a call with another signature than the function's is refused and names both") {
  Guest guest;
  guest.instantiate(R"((module (func (export "f") (param i32) (result i64) (i64.const 1))))");
  const auto wrong = guest.call<int32_t>("f", 1.0);
  REQUIRE(kind_of(wrong) == TrapKind::Host);
  CHECK(wrong.error().message.find("(f64) -> (i32)") != std::string::npos);
  CHECK(wrong.error().message.find("(i32) -> (i64)") != std::string::npos);
}

TEST_CASE("an import of another signature does not link, and the error names it") {
  Guest guest;
  guest.linker.func("h", "f", [](int32_t) {});
  const auto made = guest.linker.instantiate(
      guest.store, krait::test::compiled(R"((module (import "h" "f" (func (param i64)))))"));
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().stage == InstantiateError::Stage::Link);
  CHECK(made.error().link.message.find("h") != std::string::npos);
}

TEST_CASE("a host function's trap ends the call, with the guest's frames") {
  Guest guest;
  guest.linker.func("h", "fail", []() -> Outcome<> { return Trap::make(TrapKind::Host, "the disk is on fire"); });
  guest.instantiate(R"((module
    (import "h" "fail" (func $fail))
    (func $inner (call $fail))
    (func $outer (export "outer") (call $inner))))");
  const auto done = guest.call<void>("outer");
  REQUIRE(kind_of(done) == TrapKind::Host);
  const Trap& trap = done.error();
  CHECK(trap.message == "the disk is on fire");
  REQUIRE(trap.trace.size() == 2);
  CHECK(trap.trace[0].function == "inner");
  CHECK(trap.trace[1].function == "outer");
}

TEST_CASE("a host function reads and writes its caller's memory within its bounds") {
  Guest guest;
  guest.linker.func("h", "fill", [](Caller& caller, uint32_t at, uint32_t count) -> Outcome<uint32_t> {
    const auto bytes = caller.bytes(at, count);
    if (!bytes) return Trap::make(TrapKind::MemoryOutOfBounds);
    std::memset(bytes->data(), 0x2a, bytes->size());
    return count;
  });
  guest.instantiate(R"((module
    (import "h" "fill" (func $fill (param i32 i32) (result i32)))
    (memory 1)
    (func (export "fill") (param i32 i32) (result i32)
      (drop (call $fill (local.get 0) (local.get 1)))
      (i32.load (local.get 0)))))");
  CHECK(guest.get<uint32_t>("fill", 100, 4) == 0x2a2a2a2a);
  CHECK(guest.get<uint32_t>("fill", 65532, 4) == 0x2a2a2a2a);
  CHECK(kind_of(guest.call<uint32_t>("fill", 65533, 4)) == TrapKind::MemoryOutOfBounds);
  CHECK(kind_of(guest.call<uint32_t>("fill", 1, -1)) == TrapKind::MemoryOutOfBounds);
}

TEST_CASE("host and guest call each other to any depth that the stacks hold, and trap beyond") {
  Guest guest;
  // n! with every second frame the host's.
  guest.linker.func("h", "times", [](Caller& caller, int64_t n) -> Outcome<int64_t> {
    FuncInstance* next = caller.instance()->export_func("factorial");
    auto rest = call<int64_t>(caller.store(), *next, n - 1);
    if (!rest) return std::move(rest.error());
    return n * *rest;
  });
  guest.instantiate(R"((module
    (import "h" "times" (func $times (param i64) (result i64)))
    (func (export "factorial") (param i64) (result i64)
      (if (result i64) (i64.eqz (local.get 0))
        (then (i64.const 1))
        (else (call $times (local.get 0)))))))");
  CHECK(guest.get<int64_t>("factorial", int64_t{20}) == 2432902008176640000);
  CHECK(kind_of(guest.call<int64_t>("factorial", int64_t{-1})) == TrapKind::StackOverflow);
  CHECK(guest.get<int64_t>("factorial", int64_t{5}) == 120);
}

TEST_CASE("a trap inside a nested call can be handled by the host function") {
  Guest guest;
  guest.linker.func("h", "try", [](Caller& caller, int32_t divisor) -> int32_t {
    const auto done = call<int32_t>(caller.store(), *caller.instance()->export_func("divide"), divisor);
    return done ? *done : -static_cast<int32_t>(done.error().kind);
  });
  guest.instantiate(R"((module
    (import "h" "try" (func $try (param i32) (result i32)))
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 100) (local.get 0)))
    (func (export "run") (param i32) (result i32) (i32.add (i32.const 1000) (call $try (local.get 0))))))");
  CHECK(guest.get<int32_t>("run", 5) == 1020);
  CHECK(guest.get<int32_t>("run", 0) == 1000 - static_cast<int32_t>(TrapKind::DivideByZero));
}

TEST_CASE("an exception that no frame catches is a trap with its payload") {
  Guest guest;
  guest.instantiate(R"((module
    (tag $t (export "t") (param i32 i64))
    (func (export "throw") (throw $t (i32.const 7) (i64.const 8)))
    (func $thrower (throw $t (i32.const 1) (i64.const 2)))
    (func (export "catch") (result i32)
      (try (result i32)
        (do (call $thrower) (i32.const 0))
        (catch $t (drop))))))");
  const auto thrown = guest.call<void>("throw");
  REQUIRE(kind_of(thrown) == TrapKind::UncaughtException);
  REQUIRE(thrown.error().exception);
  CHECK(thrown.error().exception->payload == std::vector<Slot>{7, 8});
  CHECK(guest.get<int32_t>("catch") == 1);
}

TEST_CASE("an exception passes through a host function to the guest that catches it") {
  Guest guest;
  guest.linker.func("h", "through", [](Caller& caller) -> Outcome<> {
    return call<void>(caller.store(), *caller.instance()->export_func("throw"));
  });
  guest.instantiate(R"((module
    (import "h" "through" (func $through))
    (tag $t (param i32))
    (func (export "throw") (throw $t (i32.const 42)))
    (func (export "catch") (result i32)
      (try (result i32)
        (do (call $through) (i32.const 0))
        (catch $t)))))");
  CHECK(guest.get<int32_t>("catch") == 42);
}

TEST_CASE("what a host function throws passes the frame that called it in its own place") {
  Guest guest;
  guest.linker.func("h", "through", [](Caller& caller) -> Outcome<> {
    return call<void>(caller.store(), *caller.instance()->export_func("throw"));
  });
  guest.instantiate(R"((module
    (import "h" "through" (func $through))
    (tag $t)
    (func (export "throw") (throw $t))
    (func $left (try (do (return_call $through)) (catch_all)))
    (func (export "run") (result i32)
      (try (result i32)
        (do (call $left) (i32.const 1))
        (catch $t (i32.const 2))))))");
  CHECK(guest.get<int32_t>("run") == 2);
}
