// What surrounds running code: interrupts, limits, traps and who survives them.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::compiled;
using krait::test::Guest;
using krait::test::kind_of;

namespace {

constexpr const char* Endless = R"((module
  (import "h" "started" (func $started))
  (func (export "loop") (call $started) (loop (br 0)))
  (func $again (export "recurse") (return_call $again))
  (func (export "seven") (result i32) (i32.const 7))))";

}  // namespace

TEST_CASE("another thread's interrupt stops an endless loop, and an endless chain of tail calls") {
  for (const char* name : {"loop", "recurse"}) {
    Guest guest;
    std::atomic<bool> started = std::string(name) == "recurse";
    guest.linker.func("h", "started", [&] { started = true; });
    guest.instantiate(Endless);
    std::atomic<bool> ended = false;
    std::thread other([&] {
      while (!started) std::this_thread::yield();
      // Again and again: for the one that starts without a sign, the first may come before the call.
      while (!ended) {
        guest.store.interrupt(InterruptStop);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    const auto done = guest.call<void>(name);
    ended = true;
    other.join();
    CHECK(kind_of(done) == TrapKind::Interrupted);
    (void)guest.call<int32_t>("seven");  // takes an interrupt that came late
    CHECK(guest.get<int32_t>("seven") == 7);
  }
}

TEST_CASE("an interrupt from before an instance was made stops its start function") {
  Guest guest;
  guest.store.interrupt(InterruptStop);
  const auto made = guest.linker.instantiate(
      guest.store, compiled(R"((module (func $f (return_call $f)) (start $f)))"));
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().stage == InstantiateError::Stage::Run);
  CHECK(made.error().trap.kind == TrapKind::Interrupted);
}

TEST_CASE("yields and calls at polls let the guest go on, or trap") {
  Guest guest;
  guest.instantiate(R"((module
    (func (export "count") (param i32) (result i32)
      (local i32)
      (loop
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
      (local.get 1))))");
  int yields = 0, calls = 0;
  guest.store.on_yield = [&] {
    if (++yields < 3) guest.store.interrupt(InterruptYield);
  };
  guest.store.on_interrupt = [&]() -> Outcome<> {
    if (++calls == 2) return Trap::make(TrapKind::Interrupted, "over time");
    return {};
  };
  guest.store.interrupt(InterruptYield | InterruptCall);
  CHECK(guest.get<int32_t>("count", 10) == 10);
  CHECK(yields == 3);
  CHECK(calls == 1);
  guest.store.interrupt(InterruptCall);
  const auto done = guest.call<int32_t>("count", 10);
  REQUIRE(kind_of(done) == TrapKind::Interrupted);
  CHECK(done.error().message == "over time");
}

TEST_CASE("limits of a store bound memory, tables and calls") {
  Guest guest({.max_memory_pages = 3, .max_table_elements = 20, .max_call_depth = 100});
  guest.instantiate(R"((module
    (memory (export "m") 1)
    (table $t 10 funcref)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
    (func $deep (export "deep") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0))
        (then (i32.const 0))
        (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))))");
  CHECK(guest.get<int32_t>("grow", 3) == -1);
  CHECK(guest.get<int32_t>("grow", 2) == 1);
  CHECK(guest.get<int32_t>("grow", 1) == -1);
  CHECK(guest.get<int32_t>("grow table", 11) == -1);
  CHECK(guest.get<int32_t>("grow table", 10) == 10);
  CHECK(guest.get<int32_t>("deep", 90) == 90);
  CHECK(kind_of(guest.call<int32_t>("deep", 110)) == TrapKind::StackOverflow);
  CHECK(guest.get<int32_t>("deep", 90) == 90);

  for (const char* text : {"(module (memory 4))", "(module (table 21 funcref))"}) {
    const auto made = guest.linker.instantiate(guest.store, compiled(text));
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().stage == InstantiateError::Stage::Link);
  }
}

TEST_CASE("a small value stack overflows as a trap") {
  Guest guest({.value_stack_bytes = 65536});
  guest.instantiate(R"((module (func $f (export "f") (param i64 i64 i64 i64) (result i64)
    (i64.add (i64.const 1) (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3))))))");
  for (int i = 0; i < 3; ++i)
    CHECK(kind_of(guest.call<int64_t>("f", int64_t{1}, int64_t{2}, int64_t{3}, int64_t{4})) ==
          TrapKind::StackOverflow);
}

TEST_CASE("a trap names its place and leaves the instance, its neighbours and other stores whole") {
  constexpr const char* Text = R"((module $counter
    (memory 1)
    (func $read (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "read") (param i32) (result i32) (call $read (local.get 0)))
    (func (export "count") (result i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (i32.load (i32.const 0)))))";
  Guest one, other;
  Instance& neighbour = one.instantiate(Text);
  one.instantiate(Text);
  other.instantiate(Text);
  for (int i = 1; i <= 3; ++i) {
    const auto done = one.call<int32_t>("read", 0x7fff'ffff);
    REQUIRE(kind_of(done) == TrapKind::MemoryOutOfBounds);
    REQUIRE(done.error().trace.size() == 2);
    CHECK(done.error().trace[0].function == "read");
    CHECK(done.error().trace[0].module == "counter");
    CHECK(done.error().trace[0].offset != 0);
    CHECK(one.get<int32_t>("count") == i);
    CHECK(other.get<int32_t>("count") == i);
    CHECK(*call<int32_t>(one.store, *neighbour.export_func("count")) == i);
  }
}

TEST_CASE("faults that are not the guest's go to the handler that stood before") {
  const pid_t pid = fork();
  if (pid == 0) {
    struct sigaction before = {};
    before.sa_handler = [](int) { _exit(42); };
    sigaction(SIGSEGV, &before, nullptr);
    Guest guest;
    guest.instantiate(R"((module (memory 1) (func (export "f") (result i32) (i32.load (i32.const -4)))))");
    if (kind_of(guest.call<int32_t>("f")) != TrapKind::MemoryOutOfBounds) _exit(1);
    volatile uintptr_t nowhere = 8;  // volatile, for compilers that see through constants
    *reinterpret_cast<volatile int*>(nowhere) = 1;
    _exit(2);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("instances on many threads share one compiled module") {
  const auto module = compiled(R"((module (memory 1)
    (func (export "f") (param i32) (result i32)
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))
      (i32.load (i32.const 8)))))");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Store store;
      const auto made = Linker().instantiate(store, module);
      int32_t last = 0;
      for (int i = 0; made && i < 100; ++i) last = *call<int32_t>(store, *(*made)->export_func("f"), t);
      right += last == 100 * t;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 4);
}

TEST_CASE("what one instance exports another uses: memory growth, tables and globals are seen by both") {
  Guest guest;
  Instance& owner = guest.instantiate(R"((module
    (memory (export "memory") 1 4)
    (table (export "table") 2 funcref)
    (global (export "global") (mut i32) (i32.const 5))
    (func (export "size") (result i32) (memory.size))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))))");
  guest.linker.define_instance("owner", owner);
  guest.instantiate(R"((module
    (import "owner" "memory" (memory 1))
    (import "owner" "table" (table 1 funcref))
    (import "owner" "global" (global $g (mut i32)))
    (func $nine (result i32) (i32.const 9))
    (elem (i32.const 1) $nine)
    (func (export "run")
      (drop (memory.grow (i32.const 2)))
      (i32.store (i32.const 0x20000) (i32.const 77))
      (global.set $g (i32.const 6)))))");
  REQUIRE(guest.call<void>("run").ok());
  auto ask = [&](const char* name, auto... args) {
    return *call<int32_t>(guest.store, *owner.export_func(name), args...);
  };
  CHECK(ask("size") == 3);
  CHECK(ask("load", 0x20000) == 77);
  CHECK(ask("call", 1) == 9);
  CHECK(owner.export_global("global")->cell.low == 6);
}
