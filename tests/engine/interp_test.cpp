// The interpreter's own promises, beyond the spec suite: constant native stack, exact backtraces, what a frame's
// end may overwrite, and the immediates that only long encodings reach.
#include <bit>
#include <climits>

#include "tests/engine/guest.hpp"
#include "tests/support/bytes.hpp"

using namespace krait;
using namespace krait::engine;
using krait::test::Bytes;
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

namespace {

/// A LEB128 number of `bytes` bytes, padded as linkers do; of five bytes the last has the sign's four bits.
Bytes padded(int32_t value, unsigned bytes) {
  Bytes out;
  for (unsigned i = 0; i < bytes; ++i, value >>= 7)
    out.put({static_cast<uint8_t>((value & 0x7f) | (i + 1 < bytes ? 0x80 : 0))});
  return out;
}

}  // namespace

TEST_CASE("fused instructions: every pair with constants of every length, from every cache state, into every local") {
  struct Fused {
    uint8_t opcode;
    uint32_t (*apply)(uint32_t, uint32_t);
  };
  constexpr Fused Operations[] = {{0x6a, [](uint32_t a, uint32_t b) { return a + b; }},
                                  {0x71, [](uint32_t a, uint32_t b) { return a & b; }},
                                  {0x74, [](uint32_t a, uint32_t b) { return a << (b & 31); }},
                                  {0x76, [](uint32_t a, uint32_t b) { return a >> (b & 31); }},
                                  {0x77, [](uint32_t a, uint32_t b) { return std::rotl(a, static_cast<int>(b & 31)); }},
                                  {0x6b, [](uint32_t a, uint32_t b) { return a - b; }}};
  constexpr uint32_t Argument = 0x9234'5678;
  constexpr uint8_t Set = 0x21, Tee = 0x22;
  for (const Fused& operation : Operations) {
    Guest guest;
    for (const int32_t constant : {0, 3, 33, 63, -1, -64, 64, -65, 8191, -8192, 8192, 1 << 20, -(1 << 20), 1 << 27, INT_MIN, INT_MAX})
      for (unsigned length = 1; length <= 5; ++length) {
        if (length < 5 && (constant >> (7 * length - 1)) != 0 && (constant >> (7 * length - 1)) != -1) continue;
        for (unsigned below = 0; below <= 2; ++below)         // operands in the cache
          for (const uint8_t into : {uint8_t{0}, Set, Tee})
            for (const uint8_t local : {uint8_t{1}, uint8_t{200}})
              for (const bool long_get : {false, true}) {
                // (param i32) (local i32 x 250): below, local.get 0, const, op, [set or tee], the sum of all
                Bytes code{1, 0xfa, 1, 0x7f};
                for (unsigned i = 0; i < below; ++i) code.put({0x20, 0});
                code.put({0x20}).put(padded(0, long_get ? 2 : 1)).put({0x41}).put(padded(constant, length)).put({operation.opcode});
                if (into) code.put({into}).leb(local);
                if (into == Set || into == Tee) code.put({0x20}).leb(local);
                if (into == Tee) code.put({0x6a});
                for (unsigned i = 0; i < below; ++i) code.put({0x6a});
                code.put({0x0b});
                const auto module = Module::compile(Bytes::module()
                                                        .section(1, {1, 0x60, 1, 0x7f, 1, 0x7f})
                                                        .section(3, {1, 0})
                                                        .section(7, {1, 1, 'f', 0, 0})
                                                        .section(10, Bytes{1}.sized(code))
                                                        .bytes());
                REQUIRE(module.ok());
                const auto made = guest.linker.instantiate(guest.store, *module);
                REQUIRE(made.ok());
                guest.instance = *made;
                const uint32_t result = operation.apply(Argument, static_cast<uint32_t>(constant));
                const uint32_t expected = result * (into == Tee ? 2 : 1) + below * Argument;
                REQUIRE(guest.get<uint32_t>("f", Argument) == expected);
              }
      }
  }
}

TEST_CASE("fused instructions: locals with locals, and loads with what follows them") {
  for (const char* wide : {"", "(local v128)"}) {  // in functions with v128 nothing is fused with locals
    Guest guest;
    std::string text = R"((module (memory 1)
      (func (export "pair") (param i32 i32) (result i32) (local i32) WIDE
        (local.set 2 (i32.add (local.get 0) (local.get 1)))
        (i32.mul (local.tee 2 (i32.add (local.get 2) (local.get 0))) (i32.sub (local.get 2) (local.get 1))))
      (func (export "chase") (param i32) (result i32) (local i32 i32) WIDE
        (local.set 1 (i32.load offset=4 (local.get 0)))
        (i32.add (local.get 1) (i32.load (local.tee 2 (i32.load (local.get 0))))))
      (func (export "outside") (param i32) (result i32) WIDE (nop) (i32.load offset=4 (local.get 0)))
      (func (export "floats") (param i32 f64) (result f64) (local f64) WIDE
        (local.set 2 (f64.add (f64.load (local.get 0)) (f64.mul (local.get 1) (f64.load offset=8 (local.get 0)))))
        (f64.mul (local.tee 2 (f64.add (local.get 2) (f64.load (local.get 0)))) (f64.load (local.get 0))))
      (func (export "integers") (param i32 i64) (result i64) (local i64) WIDE
        (local.set 2 (i64.add (local.get 1) (i64.load (local.get 0))))
        (i64.xor (local.get 2) (i64.shl (local.get 1) (i64.const -5))))
      (data (i32.const 16) "\20\00\00\00\05\00\00\00")
      (data (i32.const 32) "\07\00\00\00")
      (data (i32.const 64) "\00\00\00\00\00\00\f8\3f\00\00\00\00\00\00\e0\3f")))";
    for (size_t at; (at = text.find("WIDE")) != std::string::npos;) text.replace(at, 4, wide);
    guest.instantiate(text);
    CHECK(guest.get<int32_t>("pair", 7, 11) == 25 * 14);
    CHECK(guest.get<int32_t>("chase", 16) == 5 + 7);
    const auto outside = guest.call<int32_t>("outside", 65532);
    REQUIRE(kind_of(outside) == TrapKind::MemoryOutOfBounds);
    CHECK(guest.instance->module().bytes()[outside.error().trace[0].offset] == std::byte{0x28});
    CHECK(guest.get<double>("floats", 64, 3.0) == ((1.5 + 3.0 * 0.5) + 1.5) * 1.5);
    CHECK(guest.get<int64_t>("integers", 16, int64_t{9}) == ((9 + 0x5'0000'0020) ^ int64_t{9} << 59));
  }
}

TEST_CASE("a branch backwards passes the loop's blocks, and looks for interrupts even when it moves operands") {
  Guest guest;
  guest.instantiate(R"((module
    (func (export "blocks") (param i32) (result i32) (local i32)
      (loop $again
        (block $b (block $a
          (br_if $a (i32.and (local.get 0) (i32.const 1)))
          (br $b))
          (local.set 1 (i32.add (local.get 1) (i32.const 10))))
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1))
    (func (export "moving") (param i32) (result i32)
      (local.get 0)
      (loop $again (param i32) (result i32)
        (local.set 0)
        (i64.const 5)
        (i32.sub (local.get 0) (i32.const 1))
        (br_if $again (i32.ne (local.get 0) (i32.const 1)))
        (return)))))");
  int polls = 0;
  guest.store.on_interrupt = [&]() -> Outcome<> {
    ++polls;
    guest.store.interrupt(InterruptCall);
    return {};
  };
  CHECK(guest.get<int32_t>("blocks", 7) == 4 * 10 + 7);
  CHECK(guest.get<int32_t>("moving", 50) == 0);
  guest.store.interrupt(InterruptCall);
  CHECK(guest.get<int32_t>("blocks", 7) == 4 * 10 + 7);
  CHECK(polls >= 6);
  polls = 0;
  CHECK(guest.get<int32_t>("moving", 50) == 0);
  CHECK(polls >= 49);
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
