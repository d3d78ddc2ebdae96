// Guests on coroutines: a host function waits in the middle of a guest's call, others run meanwhile, and it goes back in.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "engine/atomics.hpp"
#include "io/runtime.hpp"
#include "tests/engine/guest.hpp"
#include "tests/support/compiler.hpp"

using namespace krait;
using namespace std::chrono_literals;
using engine::Caller;
using engine::Outcome;
using engine::Trap;
using engine::TrapKind;
using test::Guest;

namespace {

constexpr size_t StackForHost = 64 << 10;  // below what guest code may use, for the host functions that it calls

/// A sandbox of the running coroutine. `pause` waits a turn, notes who did, and calls the guest's `back`.
struct Sandbox {
  Sandbox(engine::Compiler* compiler, char name, std::string& order)
      : guest({.native_stack_limit = io::current()->stack_limit() + StackForHost, .compiler = compiler}) {
    guest.linker.func("h", "pause", [name, &order](Caller& caller, int32_t x) -> Outcome<int32_t> {
      order += name;
      if (io::yield() == -ECANCELED) return Trap::make(TrapKind::Host, "cancelled while it waited");
      return engine::call<int32_t>(caller.store(), *caller.instance()->export_func("back"), x);
    });
    guest.instantiate(R"((module
      (import "h" "pause" (func $pause (param i32) (result i32)))
      (memory 1)
      (func (export "back") (param i32) (result i32)
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
        (i32.add (i32.div_u (i32.const 1000) (local.get 0)) (i32.load (i32.const 8))))
      (func (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (call 2 (i32.sub (local.get 0) (i32.const 1))) (call $pause (local.get 0))))
          (else (call $pause (i32.const 1)))))
      (func (export "pauses") (param $turns i32) (param $x f64) (result f64)
        (loop
          (local.set $x (f64.add (local.get $x) (f64.convert_i32_s (call $pause (local.get $turns)))))
          (br_if 0 (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
        (local.get $x))
      (func (export "outside") (result i32) (i32.load offset=0xfffff (call $pause (i32.const 1))))))");
  }
  Guest guest;
};

/// What `pauses` gives, computed here: `back` counts its calls.
double expected(int turns, double x) {
  for (int count = 1; turns; --turns, ++count) x += 1000 / turns + count;
  return x;
}

/// `body` in a coroutine, for each engine.
template <typename F>
void on_each_engine(F body) {
  for (const char* engine : {"interp", "jit", "jit:odd"}) {
    CAPTURE(engine);
    const auto compiler = test::compiler_named(engine);
    REQUIRE(compiler);
    auto runtime = io::Runtime::start({.shards = 1});
    REQUIRE(runtime);
    (*runtime)->shard(0).run([&] { body(compiler->get()); });
    CHECK((*runtime)->shutdown(0s, 5s));
  }
}

}  // namespace

TEST_CASE("a host function waits while other guests run, and re-enters its own") {
  on_each_engine([](engine::Compiler* compiler) {
    std::string order;
    double results[3] = {};
    io::Scope scope;
    for (int i = 0; i < 3; ++i)
      scope.spawn([&, i] {
        Sandbox sandbox(compiler, static_cast<char>('a' + i), order);
        results[i] = sandbox.guest.get<double>("pauses", 4, 0.5 * i);
      });
    CHECK(scope.join() == 0);
    CHECK(order == "abcabcabcabc");
    for (int i = 0; i < 3; ++i) CHECK(results[i] == expected(4, 0.5 * i));
  });
}

TEST_CASE("guests that wait at every depth of a recursion keep their frames apart") {
  on_each_engine([](engine::Compiler* compiler) {
    std::string order;
    int32_t results[2] = {};
    io::Scope scope;
    for (int i = 0; i < 2; ++i)
      scope.spawn([&, i] {
        Sandbox sandbox(compiler, static_cast<char>('a' + i), order);
        results[i] = sandbox.guest.get<int32_t>("deep", 50 + i);
      });
    CHECK(scope.join() == 0);
    CHECK(order.starts_with("abab"));
    CHECK(order.size() == 51 + 52);
    for (int i = 0; i < 2; ++i) {
      int32_t sum = 1000 + 1;
      for (int depth = 1, count = 2; depth <= 50 + i; ++depth, ++count) sum += 1000 / depth + count;
      CHECK(results[i] == sum);
    }
  });
}

TEST_CASE("a guest that traps behind its wait leaves those that wait whole") {
  on_each_engine([](engine::Compiler* compiler) {
    std::string order;
    double kept = 0;
    io::Scope scope;
    scope.spawn([&] {
      Sandbox sandbox(compiler, 'a', order);
      kept = sandbox.guest.get<double>("pauses", 6, 0.0);
    });
    scope.spawn([&] {
      Sandbox sandbox(compiler, 'b', order);
      CHECK(test::kind_of(sandbox.guest.call<int32_t>("outside")) == TrapKind::MemoryOutOfBounds);
      const auto divided = sandbox.guest.call<double>("pauses", 0, 0.0);  // in the function that the host re-entered
      REQUIRE_FALSE(divided.ok());
      CHECK(divided.error().kind == TrapKind::DivideByZero);
      REQUIRE(divided.error().trace.size() == 2);
      CHECK(divided.error().trace[0].function == "back");
      CHECK(divided.error().trace[1].function == "pauses");
      CHECK(sandbox.guest.get<double>("pauses", 1, 0.0) == 1000 + 3);
    });
    CHECK(scope.join() == 0);
    CHECK(kept == expected(6, 0.0));
    CHECK(order == "ababab" "aaa");
  });
}

TEST_CASE("a cancel reaches a guest in its host function's wait, as a trap") {
  on_each_engine([](engine::Compiler* compiler) {
    std::string order;
    TrapKind kind{};
    io::Scope scope;
    io::Task task = scope.spawn([&] {
      Sandbox sandbox(compiler, 'a', order);
      kind = test::kind_of(sandbox.guest.call<double>("pauses", 1000, 0.0));
    });
    for (int i = 0; i < 3; ++i) CHECK(io::yield() == 0);
    task.cancel();
    CHECK(task.join() == 0);
    CHECK(kind == TrapKind::Host);
    CHECK(order.size() < 10);
  });
}

TEST_CASE("memory.atomic.wait gives way to the shard's other coroutines, and one of them may notify it") {
  on_each_engine([](engine::Compiler* compiler) {
    Guest guest({.native_stack_limit = io::current()->stack_limit() + StackForHost, .compiler = compiler});
    guest.instantiate(R"((module
      (memory (export "memory") 1 1 shared)
      (func (export "wait") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
      (func (export "timed") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 2000000)))))");
    int turns = 0;
    guest.store.on_yield = [] { io::yield(); };
    io::Scope scope;
    scope.spawn([&] {
      while (turns < 100) ++turns, io::yield();
      engine::Memory* memory = guest.instance->export_memory("memory");
      while (engine::atomic_notify(memory->base(), 1) == 0) io::yield();
    });
    CHECK(guest.get<int32_t>("wait") == 0);
    CHECK(turns == 100);
    CHECK(guest.get<int32_t>("timed") == 2);
    scope.join();
    guest.store.on_yield = [&] { guest.store.interrupt(engine::InterruptStop); };
    CHECK(test::kind_of(guest.call<int32_t>("wait")) == TrapKind::Interrupted);
  });
}
