// The patterns of expected values, one by one.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/spec/values.hpp"

#include <doctest/doctest.h>

#include <array>

using krait::engine::Slot;
using krait::engine::ValType;
using krait::spec::Json;
using krait::spec::put_argument;

TEST_CASE("patterns take the values that they name, and no others") {
  struct Case {
    const char* pattern;
    ValType type;
    std::array<Slot, 2> value;
    bool match;
  };
  constexpr Case Cases[] = {
      {R"({"type":"i32","value":"4294967295"})", ValType::I32, {0xffff'ffff}, true},
      {R"({"type":"i32","value":"-1"})", ValType::I32, {0xffff'ffff}, true},
      {R"({"type":"i32","value":"1"})", ValType::I32, {2}, false},
      {R"({"type":"i32","value":"1"})", ValType::I64, {1}, false},
      // The upper half of an i32's slot is to be zero.
      {R"({"type":"i32","value":"1"})", ValType::I32, {0x1'0000'0001}, false},
      {R"({"type":"f32","value":"nan:canonical"})", ValType::F32, {0xffc0'0000}, true},
      {R"({"type":"f32","value":"nan:canonical"})", ValType::F32, {0x7fc0'0001}, false},
      {R"({"type":"f32","value":"nan:arithmetic"})", ValType::F32, {0x7fc0'0001}, true},
      {R"({"type":"f32","value":"nan:arithmetic"})", ValType::F32, {0x7fa0'0000}, false},
      {R"({"type":"f64","value":"nan:canonical"})", ValType::F64, {0x7ff8'0000'0000'0000}, true},
      {R"({"type":"f64","value":"nan:arithmetic"})", ValType::F64, {0x7ff0'0000'0000'0001}, false},
      {R"({"type":"funcref"})", ValType::FuncRef, {1}, true},
      {R"({"type":"funcref"})", ValType::FuncRef, {0}, false},
      {R"({"type":"funcref","value":"null"})", ValType::FuncRef, {0}, true},
      {R"({"type":"funcref","value":"null"})", ValType::FuncRef, {1}, false},
      {R"({"type":"refnull"})", ValType::ExnRef, {0}, true},
      {R"({"type":"refnull"})", ValType::ExternRef, {7}, false},
      {R"({"type":"externref","value":"6"})", ValType::ExternRef, {7}, true},
      {R"({"type":"externref","value":"6"})", ValType::ExternRef, {6}, false},
      {R"({"type":"v128","lane_type":"i16","value":["1","2","3","4","5","6","7","-1"]})", ValType::V128,
       {0x0004'0003'0002'0001, 0xffff'0007'0006'0005}, true},
      {R"({"type":"v128","lane_type":"i16","value":["1","2","3","4","5","6","7","8"]})", ValType::V128,
       {0x0004'0003'0002'0001, 0xffff'0007'0006'0005}, false},
      {R"({"type":"v128","lane_type":"f32","value":["0","nan:canonical","nan:arithmetic","0"]})", ValType::V128,
       {0x7fc0'0000'0000'0000, 0x0000'0000'ffff'ffff}, true},
      {R"({"type":"either","values":[{"type":"i32","value":"1"},{"type":"i32","value":"2"}]})", ValType::I32, {2}, true},
      {R"({"type":"either","values":[{"type":"i32","value":"1"},{"type":"i32","value":"2"}]})", ValType::I32, {3}, false},
  };
  for (const Case& c : Cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.value[0]);
    CHECK(krait::spec::matches(Json::parse(c.pattern), c.type, c.value.data()) == c.match);
  }
}

TEST_CASE("arguments become slots, or an error that shows the argument") {
  std::vector<Slot> slots;
  CHECK(put_argument(Json::parse(R"({"type":"i32","value":"-2"})"), slots).ok());
  CHECK(put_argument(Json::parse(R"({"type":"v128","lane_type":"i64","value":["3","4"]})"), slots).ok());
  CHECK(put_argument(Json::parse(R"({"type":"externref","value":"0"})"), slots).ok());
  CHECK(put_argument(Json::parse(R"({"type":"funcref","value":"null"})"), slots).ok());
  CHECK(slots == std::vector<Slot>{0xffff'fffe, 3, 4, 1, 0});
  const auto wrong = put_argument(Json::parse(R"({"type":"i31ref","value":"0"})"), slots);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message.find("i31ref") != std::string::npos);
}
