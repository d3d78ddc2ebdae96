// The interpreter's own promises, beyond the spec suite: constant native stack, exact backtraces, what a frame's
// end may overwrite, and the immediates that only long encodings reach.
#include "tests/engine/guest.hpp"

using namespace krait;
using namespace krait::engine;
using krait::test::Guest;
using krait::test::kind_of;

TEST_CASE("loops and tail calls run in constant stack, recursion to the limit that was set") {
  StoreOptions options;
  options.max_call_depth = 500;
  Guest guest(options);
  guest.instantiate(R"((module
    (func (export "loop") (param $n i32) (result i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (local.get $n)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum))
    (func $down (export "down") (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 0))))
    (func $tail (export "tail") (param i32 i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
      (return_call $tail (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 2))))))");
  CHECK(guest.get<int32_t>("loop", 1'000'000) == 1784293664);
  CHECK(guest.get<int32_t>("tail", 1'000'000, 0) == 2'000'000);
  CHECK(guest.get<int32_t>("down", 400) == 400);
  CHECK(kind_of(guest.call<int32_t>("down", 600)) == TrapKind::StackOverflow);
  CHECK(guest.get<int32_t>("down", 400) == 400);
}

TEST_CASE("a backtrace names the instruction that trapped and the calls that led there") {
  Guest guest;
  guest.instantiate(R"((module
    (type $f (func (result i32)))
    (table funcref (elem $divide))
    (func $divide (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
    (func $indirect (result i32) (nop) (call_indirect (type $f) (i32.const 0)))
    (func (export "outer") (result i32) (nop) (nop) (call $indirect))))");
  const auto trapped = guest.call<int32_t>("outer");
  REQUIRE(kind_of(trapped) == TrapKind::DivideByZero);
  const auto& trace = trapped.error().trace;
  REQUIRE(trace.size() == 3);
  const auto bytes = guest.instance->module().bytes();
  CHECK(bytes[trace[0].offset] == std::byte{0x6e});  // i32.div_u
  CHECK(bytes[trace[1].offset] == std::byte{0x11});  // call_indirect
  CHECK(bytes[trace[2].offset] == std::byte{0x10});  // call
  CHECK(trace[0].func_index == 0);
  CHECK(trace[2].func_index == 2);
}

TEST_CASE("results and arguments may lie over the frame that they leave") {
  Guest guest;
  guest.instantiate(R"((module
    (func $five (result i32 i32 i32 i32 i32) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5))
    (func (export "many") (result i32) (call $five) (i32.mul) (i32.add) (i32.mul) (i32.add))
    (func $sum (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      (local.get 0) (local.get 1) (i32.add) (local.get 2) (i32.add) (local.get 3) (i32.add)
      (local.get 4) (i32.add) (local.get 5) (i32.add) (local.get 6) (i32.add) (local.get 7) (i32.add))
    (func (export "wide_tail") (result i32)
      (return_call $sum (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
                        (i32.const 5) (i32.const 6) (i32.const 7) (i32.const 8)))))");
  CHECK(guest.get<int32_t>("many") == 1 + 2 * (3 + 4 * 5));
  CHECK(guest.get<int32_t>("wide_tail") == 36);
}

TEST_CASE("constants, offsets and fused pairs in every length and cache state") {
  Guest guest;
  guest.instantiate(R"((module
    (memory 2)
    (func (export "constants") (param i32) (result i32)
      (i32.add (i32.add (i32.add (local.get 0) (i32.const -1)) (i32.const 300)) (i32.const -70000)))
    (func (export "offsets") (param i32 i32) (result i32)
      (i32.store (local.get 0) (local.get 1))
      (i32.store offset=200 (local.get 0) (i32.const 5))
      (i32.store offset=70000 (local.get 0) (i32.const 70))
      (i32.add (i32.load (local.get 0)) (i32.add (i32.load offset=200 (local.get 0)) (i32.load offset=70000 (local.get 0)))))
    (func (export "beyond") (param i32) (result i32) (i32.load offset=4294967295 (local.get 0)))
    (func (export "branches") (param i64 i64) (result i32)
      (block $less
        (block $equal
          (br_if $equal (i64.eq (local.get 0) (local.get 1)))
          (br_if $less (i64.lt_s (local.get 0) (local.get 1)))
          (return (i32.const 1)))
        (return (i32.const 0)))
      (i32.const -1))))");
  CHECK(guest.get<int32_t>("constants", 10) == 10 - 1 + 300 - 70000);
  CHECK(guest.get<int32_t>("offsets", 16, 400) == 475);
  CHECK(kind_of(guest.call<int32_t>("beyond", -1)) == TrapKind::MemoryOutOfBounds);
  CHECK(guest.get<int32_t>("branches", int64_t{3}, int64_t{3}) == 0);
  CHECK(guest.get<int32_t>("branches", int64_t{-3}, int64_t{3}) == -1);
  CHECK(guest.get<int32_t>("branches", int64_t{3}, int64_t{-3}) == 1);
}

TEST_CASE("an interrupt ends a loop and an atomic wait without end") {
  Guest guest;
  guest.instantiate(R"((module
    (memory 1 1 shared)
    (func (export "spin") (loop $l (br $l)))
    (func (export "wait") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
    (func (export "timed") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000)))
    (func (export "differs") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 1) (i64.const -1)))))");
  guest.store.interrupt(InterruptStop);
  CHECK(kind_of(guest.call<void>("spin")) == TrapKind::Interrupted);
  guest.store.interrupt(InterruptStop);
  CHECK(kind_of(guest.call<int32_t>("wait")) == TrapKind::Interrupted);
  CHECK(guest.get<int32_t>("timed") == 2);
  CHECK(guest.get<int32_t>("differs") == 1);
}
