// What the emitter makes of an instruction depends on its neighbours and on where operands are: each form computes what the
// interpreter says, with all registers and with few.
#include <doctest/doctest.h>

#include <array>

#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::Guest;

namespace {

struct Trio {
  explicit Trio(const std::string& wat)
      : usual(krait::jit::make_compiler({})), few(krait::jit::make_compiler({.registers = 4, .seed = 1})),
        fast(StoreOptions{.compiler = usual.get()}), tight(StoreOptions{.compiler = few.get()}) {
    for (Guest* g : {&fast, &tight, &slow}) g->instantiate(wat);
  }
  template <typename R, typename... Args>
  void agree(const std::string& name, Args... args) {
    CAPTURE(name);
    const R expected = slow.get<R>(name, args...);
    CHECK(fast.get<R>(name, args...) == expected);
    CHECK(tight.get<R>(name, args...) == expected);
  }
  std::unique_ptr<Compiler> usual, few;
  Guest fast, tight, slow;
};

constexpr std::array<int32_t, 9> Values = {0, 1, -1, 2, 7, -8, 0x12345678, INT32_MIN, INT32_MAX};

}  // namespace

TEST_CASE("rotations by constants, of a value that is needed on and of one that is not") {
  std::string wat = "(module";
  for (const char* type : {"i32", "i64"})
    for (const char* op : {"rotl", "rotr"})
      for (int by : {0, 1, 7, 31, 32, 33, 63, 64}) {
        const std::string t = type, c = " (" + t + ".const " + std::to_string(by) + ")", rotate = "(" + t + "." + op + " (local.get 0)" + c + ")";
        const std::string name = t + op + std::to_string(by);
        wat += "(func (export \"" + name + "\") (param " + t + ") (result " + t + ") " + rotate + ")";
        wat += "(func (export \"" + name + "again\") (param " + t + ") (result " + t + ") (" + t + ".sub " + rotate + " (local.get 0)))";
      }
  Trio trio(wat + ")");
  for (const char* op : {"rotl", "rotr"})
    for (int by : {0, 1, 7, 31, 32, 33, 63, 64})
      for (const char* again : {"", "again"})
        for (int32_t value : Values) {
          trio.agree<int32_t>("i32" + (op + std::to_string(by)) + again, value);
          trio.agree<int64_t>("i64" + (op + std::to_string(by)) + again, int64_t{value} * 0x9e3779b97f4a7c1);
        }
}

TEST_CASE("a comparison with zero behind the operation that made the value, as branch, value and select") {
  constexpr const char* Operations[] = {"add", "sub", "and", "or", "xor"};
  constexpr const char* Comparisons[] = {"eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"};
  std::string wat = "(module (global $made (mut i32) (i32.const 0))";
  for (const char* op : Operations)
    for (const char* compare : Comparisons) {
      const std::string made = std::string("(local.tee 0 (i32.") + op + " (local.get 0) (local.get 1)))";
      const std::string test = std::string("(i32.") + compare + " " + made + " (i32.const 0))", name = std::string(op) + compare;
      const std::string head = "\") (param i32 i32) (result i32) ";
      wat += "(func (export \"" + name + "branch" + head + "(if (result i32) " + test + " (then (local.get 0)) (else (i32.const 77))))";
      wat += "(func (export \"" + name + "value" + head + "(i32.add (i32.shl " + test + " (i32.const 8)) (local.get 0)))";
      wat += "(func (export \"" + name + "select" + head + "(select (local.get 1) (local.get 0) " + test + "))";
    }
  Trio trio(wat + ")");
  for (const char* op : Operations)
    for (const char* compare : Comparisons)
      for (const char* form : {"branch", "value", "select"})
        for (int32_t a : Values)
          for (int32_t b : Values) trio.agree<int32_t>(std::string(op) + compare + form, a, b);
}

TEST_CASE("flags do not outlive a label: a loop's head is reached with others") {
  Trio trio(R"((module (func (export "f") (param i32 i32) (result i32) (local i32)
    (local.set 0 (i32.and (local.get 0) (local.get 1)))
    (loop $next
      (if (i32.eqz (local.get 0)) (then (return (local.get 2))))
      (local.set 2 (i32.add (local.get 2) (i32.const 3)))
      (local.set 0 (i32.shr_u (local.get 0) (i32.const 1)))
      (br $next))
    unreachable)))");
  for (int32_t a : Values)
    for (int32_t b : Values) trio.agree<int32_t>("f", a, b);
}
