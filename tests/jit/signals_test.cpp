// Faults of machine code are traps; all others stay with whoever handled them before or after us. Each case in a child.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csetjmp>
#include <csignal>

#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

constexpr std::array<int, 4> Signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

/// The exit status of a child that runs `body` to its end (0 then), or minus the signal that killed it.
int in_child(void (*body)()) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    for (const int signal : Signals) ::signal(signal, SIG_DFL);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void check(bool good, int code) {
  if (!good) _exit(code);
}

/// Machine code traps as it should: by SIGSEGV, SIGFPE and SIGILL.
void expect_traps(int code) {
  const auto compiler = krait::jit::make_compiler({});
  Guest guest({.compiler = compiler.get()});
  guest.instantiate(R"((module (memory 1)
    (func (export "load") (result i32) (i32.load (i32.const -4)))
    (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func (export "unreachable") (result i32) unreachable)))");
  const auto kind = [](const Outcome<int32_t>& outcome) { return outcome ? TrapKind::Exit : outcome.error().kind; };
  check(kind(guest.call<int32_t>("load")) == TrapKind::MemoryOutOfBounds, code);
  check(kind(guest.call<int32_t>("divide", 0)) == TrapKind::DivideByZero, code);
  check(kind(guest.call<int32_t>("unreachable")) == TrapKind::Unreachable, code);
}

/// A fault of the host's own code.
void fault(int signal) {
  if (signal == SIGSEGV) {
    volatile uintptr_t nowhere = 8;  // volatile, for compilers that see through constants
    *reinterpret_cast<volatile int*>(nowhere) = 1;
  } else if (signal == SIGBUS) {
    const int empty = memfd_create("empty", 0);
    *static_cast<volatile int*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, empty, 0)) = 1;
  } else if (signal == SIGFPE) {
    asm volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx", "cc");
  } else {
    asm volatile("ud2");
  }
}

sigjmp_buf back;
int seen[65];

void plain(int signal) {
  seen[signal] += 1;
  siglongjmp(back, 1);
}
void detailed(int signal, siginfo_t* info, void* context) {
  check(info->si_signo == signal && context, 40);
  seen[signal] += 10;
  siglongjmp(back, 1);
}

struct sigaction later_found[65];
void later(int signal, siginfo_t* info, void* context) {
  seen[signal] += 100;
  later_found[signal].sa_sigaction(signal, info, context);
}

void install(void (*handler)(int, siginfo_t*, void*), struct sigaction* found = nullptr) {
  for (const int signal : Signals) {
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(signal, &action, found ? &found[signal] : nullptr);
  }
}

/// Every fault of ours counts `points` in `seen`.
void expect_faults(int points, int code) {
  for (const int signal : Signals) {
    seen[signal] = 0;
    if (sigsetjmp(back, 1) == 0) fault(signal);
    check(seen[signal] == points, code);
  }
}

}  // namespace

TEST_CASE("handlers that stood before get the faults that are not the guest's, with what they ask for") {
  CHECK(in_child([] {
          for (const int signal : Signals) ::signal(signal, plain);
          expect_traps(1);
          expect_faults(1, 2);
          expect_traps(3);
          expect_faults(1, 4);
        }) == 0);
  CHECK(in_child([] {
          install(detailed);
          expect_traps(1);
          expect_faults(10, 2);
          expect_traps(3);
        }) == 0);
}

TEST_CASE("without a handler before, a fault that is not the guest's ends the process as ever") {
  CHECK(in_child([] { expect_traps(1), fault(SIGSEGV); }) == -SIGSEGV);
  CHECK(in_child([] { expect_traps(1), fault(SIGBUS); }) == -SIGBUS);
  CHECK(in_child([] { expect_traps(1), fault(SIGFPE); }) == -SIGFPE);
  CHECK(in_child([] { expect_traps(1), fault(SIGILL); }) == -SIGILL);
}

TEST_CASE("handlers installed later see what is not the guest's, once machine code was made again") {
  CHECK(in_child([] {
          install(detailed);
          expect_traps(1);
          install(later, later_found);  // they hand on to the engine's, as they found it
          expect_traps(2);
          expect_faults(110, 3);
          expect_traps(4);
          expect_faults(110, 5);
        }) == 0);
}

TEST_CASE("handlers that come and go, as a test framework's, do not take the guest's faults for good") {
  CHECK(in_child([] {
          expect_traps(1);
          for (int i = 0; i < 100; ++i) {
            install(detailed, later_found);
            expect_traps(2);
            expect_faults(10, 3);
            for (const int signal : Signals) sigaction(signal, &later_found[signal], nullptr);
            expect_traps(4);
          }
        }) == 0);
}
