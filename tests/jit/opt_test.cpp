// The passes: what they make of IR, and that it computes what the interpreter says.
#include <doctest/doctest.h>

#include <array>

#include "jit/ir.hpp"
#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

struct Pair {
  explicit Pair(const std::string& wat)
      : compiler(krait::jit::make_compiler({.verify = true})), fast(StoreOptions{.compiler = compiler.get()}) {
    fast.instantiate(wat);
    slow.instantiate(wat);
  }
  std::unique_ptr<Compiler> compiler;
  Guest fast, slow;
};

/// The listing of the module's only function after `pass`, without the passes in `without`.
std::string after(const std::string& wat, const std::string& pass, std::vector<std::string> without = {}) {
  for (const krait::jit::Stage& stage : krait::jit::stages_of(*krait::test::compiled(wat), 0, {.disable = std::move(without), .verify = true}))
    if (stage.name == pass) return stage.text;
  FAIL("no such pass");
  return "";
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

template <typename T>
void check_divisions(const std::string& type) {
  constexpr std::array<int64_t, 22> Divisors = {2, 3, 5, 6, 7, 10, 12, 25, 28, 100, 125, 641, 1000, 1021, 65536, 65537, 1000000007,
                                                0x7fffffff, -2, -3, -7, -1000};
  constexpr std::array<int64_t, 14> Dividends = {0, 1, 2, 6, 7, 99, 1000, -1, -2, -7, -1000, 0x7fffffffffffffff, INT64_MIN, 0x123456789abcdef};
  std::string wat = "(module";
  for (int64_t d : Divisors)
    for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"})
      wat += "(func (export \"" + std::string(op) + std::to_string(d) + "\") (param " + type + ") (result " + type + ") (" + type + "." +
             op + " (local.get 0) (" + type + ".const " + std::to_string(d) + ")))";
  Pair pair(wat + ")");
  for (int64_t d : Divisors)
    for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"})
      for (int64_t x : Dividends)
        for (int64_t nudge : {int64_t{0}, d, 3 * d - 1, int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
          const auto by = static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(nudge));
          const std::string name = op + std::to_string(d);
          CAPTURE(name);
          CAPTURE(by);
          CHECK(pair.fast.get<T>(name, by) == pair.slow.get<T>(name, by));
        }
}

}  // namespace

TEST_CASE("division by constants") {
  check_divisions<int32_t>("i32");
  check_divisions<int64_t>("i64");
}

TEST_CASE("a division by a constant is none; by zero and by -1 it stays, as it may trap") {
  const auto listing = [](const char* op, const char* by) {
    return after(std::string("(module (func (param i64) (result i64) (i64.") + op + " (local.get 0) (i64.const " + by + "))))", "divide");
  };
  for (const char* op : {"div_s", "div_u", "rem_s", "rem_u"}) {
    CHECK(count(listing(op, "7"), "mul_high") == 1);
    CHECK(count(listing(op, "7"), op) == 0);
    CHECK(count(listing(op, "0"), op) == 1);
  }
  CHECK(count(listing("div_s", "-1"), "div_s") == 1);
}
