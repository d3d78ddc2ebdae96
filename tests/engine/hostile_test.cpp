// Modules made to hurt: each is compiled in a process with little memory, stack and time, and ends either as a module
// or as an error with the offset and what was expected.
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "engine/linker.hpp"
#include "tests/support/bytes.hpp"

using namespace krait::engine;
using krait::test::Bytes;

namespace {

constexpr uint64_t MemoryAllowed = 256 << 20;  // above what the process has when it starts
constexpr uint64_t SecondsAllowed = 20;        // of processor time
constexpr size_t StackAllowed = 256 << 10;

enum Ending : int { Compiled = 0, Refused = 1, NoOffset = 2 };

/// Where the error stands and that it says something is part of refusing.
int compile_ending(std::span<const std::byte> bytes) {
  const auto module = Module::compile(bytes);
  if (module) return Compiled;
  const krait::Error& error = module.error();
  return error.offset <= bytes.size() && !error.message.empty() ? Refused : NoOffset;
}

/// Runs `job` on a small stack in a child with limits; its result, or minus the signal that ended it.
template <typename Job>
int confined(Job job) {
  const pid_t pid = fork();
  if (pid == 0) {
    long pages = 0;
    if (FILE* statm = std::fopen("/proc/self/statm", "r"); !statm || std::fscanf(statm, "%ld", &pages) != 1) _exit(99);
    const uint64_t space = static_cast<uint64_t>(pages) * 4096 + MemoryAllowed;
    const rlimit memory = {space, space}, time = {SecondsAllowed, SecondsAllowed}, core = {0, 0};
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CPU, &time);
    setrlimit(RLIMIT_CORE, &core);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, StackAllowed);
    pthread_t thread;
    const auto run = [](void* argument) -> void* { _exit((*static_cast<Job*>(argument))()); };
    if (pthread_create(&thread, &small, run, &job) != 0) _exit(99);
    pthread_join(thread, nullptr);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int confined_compile(const Bytes& module) {
  return confined([&] { return compile_ending(module.bytes()); });
}

/// A module with one function of type [] -> [] and these instructions.
Bytes with_code(const Bytes& instructions, const Bytes& locals = {0}) {
  const Bytes body = Bytes(locals).put(instructions).put({0x0b});
  return Bytes::module().section(1, {1, 0x60, 0, 0}).section(3, {1, 0}).section(10, Bytes{1}.sized(body));
}

/// One of everything, valid.
Bytes everything() {
  return Bytes::module()
      .section(1, {2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f})
      .section(2, {1, 1, 'm', 1, 'f', 0, 0})
      .section(3, {2, 0, 1})
      .section(4, {1, 0x70, 0, 4})
      .section(5, {1, 1, 1, 2})
      .section(13, {1, 0, 0})
      .section(6, {1, 0x7f, 1, 0x41, 7, 0x0b})
      .section(7, {2, 1, 'f', 0, 2, 1, 'm', 2, 0})
      .section(8, {1})
      .section(9, {1, 0, 0x41, 0, 0x0b, 1, 2})
      .section(12, {1})
      .section(10, Bytes{2}
                       .sized({0, 0x02, 0x40, 0x10, 0, 0x0c, 0, 0x0b, 0x0b})
                       .sized({1, 1, 0x7e, 0x20, 0, 0x04, 0x7f, 0x20, 0, 0x28, 2, 4, 0x05, 0x41, 1, 0x0b, 0x0b}))
      .section(11, {1, 0, 0x41, 0, 0x0b, 2, 'h', 'i'})
      .section(0, {4, 'n', 'a', 'm', 'e', 1, 4, 1, 0, 1, 'f'});
}

}  // namespace

TEST_CASE("a module with one of everything is valid; the next tests damage it") {
  const auto module = Module::compile(everything().bytes());
  REQUIRE_MESSAGE(module.ok(), module.error().to_string());
}

TEST_CASE("a truncated module is refused with an offset, unless the cut is between sections") {
  const auto bytes = everything().bytes();
  int refused = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const int ending = compile_ending(std::span(bytes).first(size));
    CHECK(ending != NoOffset);
    refused += ending == Refused;
  }
  // At most the 13 cuts between the sections leave a module.
  CHECK(refused >= static_cast<int>(bytes.size()) - 13);
}

TEST_CASE("a module with any bit flipped or byte replaced is a module or refused with an offset") {
  const auto bytes = everything().bytes();
  int refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      auto damaged = bytes;
      damaged[at] ^= static_cast<std::byte>(change);
      const int ending = compile_ending(damaged);
      CAPTURE(at);
      CAPTURE(change);
      REQUIRE(ending != NoOffset);
      refused += ending == Refused;
    }
  CHECK(refused > static_cast<int>(bytes.size()) * 100);
}

TEST_CASE("counts and sizes that the module cannot hold are refused, in little memory") {
  for (uint8_t id = 1; id <= 13; ++id)
    for (const uint64_t count : {uint64_t{0xffff'ffff}, uint64_t{0x7fff'ffff}, uint64_t{10'000'000}}) {
      CAPTURE(int(id));
      CAPTURE(count);
      CHECK(confined_compile(Bytes::module().section(id, Bytes{}.leb(count))) == Refused);
      CHECK(confined_compile(Bytes::module().section(id, Bytes{}.leb(count).repeat({0}, 1000))) == Refused);
      CHECK(confined_compile(Bytes::module().put({id}).leb(count).put({1})) == Refused);
    }
}

TEST_CASE("code made to hurt ends in bounded stack, memory and time") {
  struct Case {
    const char* name;
    Bytes module;
    bool may_compile;
  };
  const Bytes block = {0x02, 0x40}, loop = {0x03, 0x40}, end = {0x0b}, one = {0x41, 1};
  const Case cases[] = {
      {"100,000 nested blocks", with_code(Bytes{}.repeat(block, 100'000).repeat(end, 100'000)), true},
      {"40,000 nested loops", with_code(Bytes{}.repeat(loop, 40'000).repeat(end, 40'000)), true},
      {"a million blocks never closed", with_code(Bytes{}.repeat(block, 1'000'000)), false},
      {"40,000 nested ifs", with_code(Bytes{}.repeat({0x41, 1, 0x04, 0x40}, 40'000).repeat(end, 40'000)), true},
      {"4 G locals", with_code({}, Bytes{1}.leb(0xffff'ffff).put({0x7f})), false},
      {"locals that overflow 32 bits", with_code({}, Bytes{2}.leb(0xffff'ffff).put({0x7f}).leb(2).put({0x7e})), false},
      {"locals for each of 3,000 functions",
       [] {
         const Bytes body = Bytes{1}.leb(50'000).put({0x7e, 0x0b});
         return Bytes::module()
             .section(1, {1, 0x60, 0, 0})
             .section(3, Bytes{}.leb(3000).repeat({0}, 3000))
             .section(10, Bytes{}.leb(3000).repeat(Bytes{}.sized(body), 3000));
       }(),
       true},
      {"a br_table of 4 G", with_code(Bytes{0x41, 0, 0x0e}.leb(0xffff'ffff).put({0})), false},
      {"60,000 br_tables of 10 each in one block",
       with_code(Bytes(block).repeat(Bytes{0x41, 0, 0x0e, 10}.repeat({0}, 11), 60'000).put(end)), true},
      {"a million values on the stack", with_code(Bytes{}.repeat(one, 1'000'000).repeat({0x1a}, 1'000'000)), true},
      {"half a million branches out of deep blocks",
       with_code(Bytes{}.repeat(block, 1000).repeat(Bytes{0x41, 0, 0x0d}.leb(999), 500'000).repeat(end, 1000)), true},
      {"a number of 20 bytes", with_code(Bytes{0x41}.repeat({0x80}, 19).put({0, 0x1a})), false},
      {"a try_table of 4 G catches", with_code(Bytes{0x1f, 0x40}.leb(0xffff'ffff)), false},
      {"a select of 4 G types", with_code(Bytes{0x1c}.leb(0xffff'ffff)), false},
      {"an offset of 64 bits on a memory of 32",
       Bytes::module()
           .section(1, {1, 0x60, 0, 0})
           .section(3, {1, 0})
           .section(5, {1, 0, 1})
           .section(10, Bytes{1}.sized(Bytes{0, 0x41, 0, 0x28, 2}.leb(uint64_t{1} << 40).put({0x1a, 0x0b}))),
       false},
      {"a constant expression of a million additions",
       Bytes::module().section(6, Bytes{1, 0x7f, 0}
                                      .put(one)
                                      .repeat({0x41, 1, 0x6a}, 1'000'000)
                                      .put({0x0b})),
       true},
      {"a constant expression of a million operands",
       Bytes::module().section(6, Bytes{1, 0x7f, 0}.repeat(one, 1'000'000).repeat({0x6a}, 999'999).put({0x0b})), true},
      {"5,000 blocks of 1,000 parameters and results",
       [&] {
         // Each block takes and gives the 1,000 values that the one before left.
         const Bytes body =
             Bytes{0}.repeat(one, 1000).repeat({0x02, 1, 0x0b}, 5000).repeat({0x1a}, 1000).put({0x0b});
         return Bytes::module()
             .section(1, Bytes{2, 0x60, 0, 0}.put(Bytes{0x60}.leb(1000).repeat({0x7f}, 1000).leb(1000).repeat(
                             {0x7f}, 1000)))
             .section(3, {1, 0})
             .section(10, Bytes{1}.sized(body));
       }(),
       true},
      {"a name section that promises 4 G names",
       Bytes::module().section(0, Bytes{4, 'n', 'a', 'm', 'e', 1, 5}.leb(0xffff'ffff)), true},
      {"a million custom sections", Bytes::module().repeat(Bytes{0, 1, 0}, 1'000'000), true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const int ending = confined_compile(c.module);
    if (c.may_compile)
      CHECK((ending == Compiled || ending == Refused));
    else
      CHECK(ending == Refused);
  }
}

TEST_CASE("claims of gigabytes meet the store's limits before memory is touched") {
  struct Case {
    const char* name;
    Bytes module;
  };
  const Case cases[] = {
      {"a memory of 4 GiB", Bytes::module().section(5, Bytes{1, 0}.leb(65536))},
      {"a thousand memories", Bytes::module().section(5, Bytes{}.leb(1000).repeat({0, 17}, 1000))},
      {"a table of 4 G elements", Bytes::module().section(4, Bytes{1, 0x70, 0}.leb(0xffff'ffff))},
      {"a table of 10 M elements", Bytes::module().section(4, Bytes{1, 0x70, 0}.leb(10'000'000))},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(confined([&] {
            const auto module = Module::compile(c.module.bytes());
            if (!module) return int(Refused);
            Store store({.max_memory_pages = 16, .max_table_elements = 1'000'000, .value_stack_bytes = 1 << 20});
            const auto made = Linker().instantiate(store, *module);
            return !made && made.error().stage == InstantiateError::Stage::Link ? int(Refused) : int(Compiled);
          }) == Refused);
  }
}

TEST_CASE("segments beyond what they fill trap, and leave an error that says so") {
  const Bytes memory = Bytes::module().section(5, {1, 0, 1});
  for (const Bytes& module : {Bytes(memory).section(11, {1, 0, 0x41, 0x7f, 0x0b, 1, 'x'}),
                              Bytes(memory).section(11, Bytes{1, 0, 0x41}.put({0x80, 0x80, 0x04}).put({0x0b, 1, 'x'}))}) {
    Store store;
    const auto compiled = Module::compile(module.bytes());
    REQUIRE(compiled.ok());
    const auto made = Linker().instantiate(store, *compiled);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().stage == InstantiateError::Stage::Run);
    CHECK(made.error().trap.kind == TrapKind::MemoryOutOfBounds);
  }
}
