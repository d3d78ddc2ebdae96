// Damaged and refused modules: the error's place and words. Valid ones: what the module says of
// itself.
#include <doctest/doctest.h>

#include "engine/module.hpp"
#include "tests/support/bytes.hpp"

using namespace krait::engine;
using krait::test::Bytes;

namespace {

/// A module with one function of that type (default [] -> []) and body, in front of it the given
/// sections.
Bytes function(const Bytes& instructions, const Bytes& type = {0x60, 0, 0},
               const Bytes& between = {}, const Bytes& locals = {0}) {
  return Bytes::module()
      .section(1, Bytes{1}.put(type))
      .section(3, {1, 0})
      .put(between)
      .section(10, Bytes{1}.sized(Bytes(locals).put(instructions).put({0x0b})));
}

struct Case {
  std::string name;
  Bytes bytes;
  size_t offset;
  const char* message;  // its start
};

void check(std::span<const Case> cases) {
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto module = Module::compile(c.bytes.bytes());
    REQUIRE_FALSE(module.ok());
    CAPTURE(module.error().to_string());
    CHECK(module.error().offset == c.offset);
    CHECK(module.error().message.starts_with(c.message));
  }
}

// Where the code of `function` begins with a type of three bytes and nothing between: header 8,
// type section 6, function section 4, code section 2, count, body size, local declarations.
constexpr size_t Code = 8 + 6 + 4 + 2 + 3;
const Bytes OneMemory = Bytes{}.section(5, {1, 0, 1});

}  // namespace

TEST_CASE("frame of the module: errors have their offset and the spec's words") {
  const Bytes m = Bytes::module();
  const Case cases[] = {
      {"empty", {}, 0, "magic header not detected"},
      {"wrong magic", {0, 'a', 's', 'n', 1, 0, 0, 0}, 0, "magic header not detected"},
      {"no version", {0, 'a', 's', 'm', 1, 0}, 4, "unknown binary version"},
      {"version 2",
       {0, 'a', 's', 'm', 2, 0, 0, 0},
       4,
       "unknown binary version: expected 1, found 2"},
      {"section id 14", Bytes(m).section(14, {}), 8, "malformed section id 14"},
      {"section beyond the end", Bytes(m).put({1, 5, 0}), 8, "length out of bounds"},
      {"section too long", Bytes(m).section(1, {0, 0}), 11, "section size mismatch"},
      {"section too short", Bytes(m).section(3, {}), 10, "unexpected end"},
      {"sections swapped", Bytes(m).section(3, {0}).section(1, {0}), 11,
       "unexpected content after last section"},
      {"section twice", Bytes(m).section(1, {0}).section(1, {0}), 11,
       "unexpected content after last section"},
      {"custom section's name is not UTF-8", Bytes(m).section(0, {2, 0xc3, 0x28}), 10,
       "malformed UTF-8 encoding"},
      {"overlong UTF-8", Bytes(m).section(0, {2, 0xc0, 0x80}), 10, "malformed UTF-8 encoding"},
      {"a surrogate", Bytes(m).section(0, {3, 0xed, 0xa0, 0x80}), 10, "malformed UTF-8 encoding"},
      {"u32 of six bytes", Bytes(m).put({0, 0x80, 0x80, 0x80, 0x80, 0x80, 0}), 9,
       "integer representation too long"},
      {"u32 of 33 bits", Bytes(m).put({0, 0xff, 0xff, 0xff, 0xff, 0x1f}), 9, "integer too large"},
      {"function without code", Bytes(m).section(1, {1, 0x60, 0, 0}).section(3, {1, 0}), 18,
       "function and code section have inconsistent lengths"},
      {"code without function", Bytes(m).section(10, {1, 2, 0, 0x0b}), 10,
       "function and code section have inconsistent lengths"},
      {"data count without data", Bytes(m).section(12, {1}), 11,
       "data count and data section have inconsistent lengths"},
  };
  check(cases);
}

TEST_CASE("declarations: errors have their offset and the spec's words") {
  const Bytes m = Bytes::module();
  const Bytes typed = Bytes(m).section(1, {1, 0x60, 0, 1, 0x7f});  // () -> (i32); ends at 15
  const Case cases[] = {
      {"type form", Bytes(m).section(1, {1, 0x61, 0, 0}), 11, "malformed type"},
      {"value type", Bytes(m).section(1, {1, 0x60, 1, 0x01, 0}), 13, "malformed value type"},
      {"unknown type", Bytes(m).section(3, {1, 0}), 11, "unknown type 0"},
      {"import kind", Bytes(m).section(2, {1, 0, 0, 5, 0}), 13, "malformed import kind"},
      {"mutability", Bytes(m).section(6, {1, 0x7f, 2, 0x41, 0, 0x0b}), 12, "malformed mutability"},
      {"limits upside down", Bytes(m).section(5, {1, 1, 2, 1}), 11,
       "size minimum must not be greater than maximum"},
      {"memory above 4 GiB", Bytes(m).section(5, Bytes{1, 0}.leb(65537)), 11,
       "memory size must be at most 65536 pages"},
      {"shared without maximum", Bytes(m).section(5, {1, 2, 1}), 11,
       "shared memory must have maximum"},
      {"limits flags", Bytes(m).section(5, {1, 8, 1}), 11, "malformed limits flags"},
      {"table of numbers", Bytes(m).section(4, {1, 0x7f, 0, 0}), 11, "malformed reference type"},
      {"tag with results", Bytes(typed).section(13, {1, 0, 0}), 18, "non-empty tag result type"},
      {"tag attribute", Bytes(typed).section(13, {1, 1, 0}), 18, "malformed tag attribute"},
      {"duplicate export",
       Bytes(m).section(5, {1, 0, 1}).section(7, {2, 1, 'a', 2, 0, 1, 'a', 2, 0}), 20,
       "duplicate export name \"a\""},
      {"unknown export", Bytes(m).section(7, {1, 1, 'a', 3, 0}), 13, "unknown global 0"},
      {"start with a result", Bytes(typed).section(3, {1, 0}).section(8, {0}), 21,
       "start function"},
      {"element kind", Bytes(m).section(4, {1, 0x70, 0, 0}).section(9, {1, 8, 0}), 17,
       "malformed elements segment kind"},
      {"elements for no table", Bytes(m).section(9, {1, 0, 0x41, 0, 0x0b, 0}), 11,
       "unknown table 0"},
      {"elements of another type",
       Bytes(m).section(4, {1, 0x6f, 0, 0}).section(9, {1, 0, 0x41, 0, 0x0b, 0}), 17,
       "type mismatch"},
      {"data for no memory", Bytes(m).section(11, {1, 0, 0x41, 0, 0x0b, 0}), 11,
       "unknown memory 0"},
      {"data beyond the section", Bytes(m).section(11, {1, 1, 9, 0}), 12, "unexpected end"},
  };
  check(cases);
}

TEST_CASE("constant expressions: errors have their offset and the spec's words") {
  auto global = [](const Bytes& init) {
    return Bytes::module().section(6, Bytes{1, 0x7f, 0}.put(init));
  };
  const Case cases[] = {
      {"of another type", global({0x42, 0, 0x0b}), 13, "type mismatch"},
      {"empty", global({0x0b}), 13, "type mismatch"},
      {"two values", global({0x41, 0, 0x41, 0, 0x0b}), 13, "type mismatch"},
      {"addition of nothing", global({0x41, 0, 0x6a, 0x0b}), 15, "type mismatch"},
      {"division", global({0x41, 1, 0x41, 1, 0x6d, 0x0b}), 17,
       "constant expression required: found i32.div_s"},
      {"a global behind it", global({0x23, 0, 0x0b}), 13, "unknown global 0"},
      {"a mutable global",
       Bytes::module().section(6, {2, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b}), 18,
       "constant expression required: global 0 is mutable"},
      {"without end", global({0x41, 0}), 15, "unexpected end"},
  };
  check(cases);
}

TEST_CASE("function bodies: errors have their offset and the spec's words") {
  const size_t with_memory = Code + 5;
  const Case cases[] = {
      {"operand missing", function({0x1a}), Code,
       "type mismatch: drop expects an operand, found nothing"},
      {"operand of another type", function({0x41, 0, 0x50, 0x1a}), Code + 2,
       "type mismatch: i64.eqz expects i64, found i32"},
      {"value left", function({0x41, 0}), Code + 2,
       "type mismatch: values remaining on stack at end of block"},
      {"unknown local", function({0x20, 1, 0x1a}, {0x60, 0, 0}, {}, {1, 1, 0x7f}), Code + 2,
       "unknown local 1: there is 1"},
      {"too many locals", function({}, {0x60, 0, 0}, {}, Bytes{1}.leb(50'001).put({0x7f})), Code,
       "too many locals"},
      {"unknown label", function({0x0c, 1}), Code, "unknown label 1"},
      {"unknown function", function({0x10, 1}), Code, "unknown function 1"},
      {"unknown global", function({0x23, 0, 0x1a}), Code, "unknown global 0"},
      {"unknown memory", function({0x3f, 0, 0x1a}), Code, "unknown memory 0"},
      {"unknown block type", function({0x02, 1, 0x0b}), Code, "unknown type 1"},
      {"else without if", function({0x02, 0x40, 0x05, 0x0b}), Code + 2, "else without if"},
      {"if without else gives a value", function({0x41, 0, 0x04, 0x7f, 0x41, 0, 0x0b, 0x1a}),
       Code + 6, "type mismatch"},
      {"illegal opcode", function({0xff}), Code, "illegal opcode 0xff"},
      {"illegal prefixed opcode", function({0xfc, 0x20}), Code, "illegal opcode 0xfc 0x20"},
      {"opcode beyond the tables", function({0xfd, 0x80, 0x80, 0x04}), Code,
       "illegal opcode 0xfd 0x10000"},
      {"block not closed", function({0x02, 0x40}), Code + 3, "unexpected end"},
      {"code behind the end", function({0x0b}), Code + 1, "section size mismatch"},
      {"alignment", function({0x41, 0, 0x28, 3, 0, 0x1a}, {0x60, 0, 0}, OneMemory), with_memory + 2,
       "alignment must not be larger than natural"},
      {"atomic alignment", function({0x41, 0, 0xfe, 0x10, 1, 0, 0x1a}, {0x60, 0, 0}, OneMemory),
       with_memory + 2, "atomic alignment must be natural"},
      {"lane", function(Bytes{0xfd, 0x0c}.repeat({0}, 16).put({0xfd, 0x1b, 4, 0x1a})), Code + 18,
       "invalid lane index 4"},
      {"shuffle lane",
       function(Bytes{}
                    .repeat(Bytes{0xfd, 0x0c}.repeat({0}, 16), 2)
                    .put({0xfd, 0x0d})
                    .repeat({32}, 16)
                    .put({0x1a})),
       Code + 36, "invalid lane index 32"},
      {"data.drop without a count", function({0xfc, 9, 0}), Code, "data count section required"},
      {"undeclared reference", function({0xd2, 0, 0x1a}), Code, "undeclared function reference"},
      {"select of references", function({0xd0, 0x70, 0xd0, 0x70, 0x41, 0, 0x1b, 0x1a}), Code + 6,
       "type mismatch: select without a type"},
      {"br_table of two arities",
       function(
           {0x02, 0x7f, 0x02, 0x40, 0x41, 0, 0x41, 0, 0x0e, 1, 0, 1, 0x0b, 0x41, 0, 0x0b, 0x1a}),
       Code + 8, "type mismatch"},
      {"catch without try", function({0x19}), Code, "catch_all outside of a try block"},
      {"catch behind catch_all", function({0x06, 0x40, 0x19, 0x19, 0x0b}), Code + 3,
       "catch_all outside of a try block: it is behind"},
      {"delegate beyond the function", function({0x06, 0x40, 0x18, 0x01}), Code + 2,
       "unknown label 1"},
      {"delegate to a huge label", function({0x06, 0x40, 0x18, 0xff, 0xff, 0xff, 0xff, 0x0f}),
       Code + 2, "unknown label"},
      {"rethrow of no catch", function({0x09, 0}), Code, "invalid rethrow label 0"},
      {"throw_ref of a number", function({0x41, 0, 0x0a}), Code + 2,
       "type mismatch: throw_ref expects exnref, found i32"},
      {"unknown tag", function({0x08, 0}), Code, "unknown tag 0"},
  };
  check(cases);
}

TEST_CASE("what krait does without is refused by its name") {
  const Bytes m = Bytes::module();
  const Case cases[] = {
      {"memory64", Bytes(m).section(5, {1, 4, 1}), 11, "memory64 is not supported"},
      {"table64", Bytes(m).section(4, {1, 0x70, 4, 1}), 12, "memory64 is not supported"},
      {"rec", Bytes(m).section(1, {1, 0x4e, 1, 0x60, 0, 0}), 11, "gc is not supported"},
      {"struct", Bytes(m).section(1, {1, 0x5f, 0, 0}), 11, "gc is not supported"},
      {"anyref", Bytes(m).section(4, {1, 0x6e, 0, 0}), 11, "gc is not supported"},
      {"(ref func)", Bytes(m).section(4, {1, 0x64, 0x70, 0, 0}), 11,
       "function-references is not supported"},
      {"(ref null 0)", Bytes(m).section(4, {1, 0x63, 0, 0, 0}), 11,
       "function-references is not supported"},
      {"ref.null 0", function({0xd0, 0, 0x1a}), Code + 1, "function-references is not supported"},
      {"call_ref", function({0x14, 0}), Code,
       "function-references is not supported: found call_ref"},
      {"br_on_null", function({0xd5, 0}), Code,
       "function-references is not supported: found br_on_null"},
      {"ref.eq", function({0xd3}), Code, "gc is not supported: found ref.eq"},
      {"struct.new", function({0xfb, 0, 0}), Code, "gc is not supported: found 0xfb 0x0"},
  };
  check(cases);
}

TEST_CASE("features of the older suites") {
  const Bytes two_memories = Bytes::module().section(5, {2, 0, 1, 0, 1});
  CHECK(Module::compile(two_memories.bytes()).ok());
  CHECK(Module::compile(two_memories.bytes(), {.multi_memory = false}).error().message ==
        "multiple memories");
  const Bytes long_index = function({0x3f, 0x80, 0, 0x1a}, {0x60, 0, 0}, OneMemory);
  CHECK(Module::compile(long_index.bytes()).ok());
  CHECK(Module::compile(long_index.bytes(), {.multi_memory = false})
            .error()
            .message.starts_with("zero byte expected"));
  const Bytes own_global =
      Bytes::module().section(6, {2, 0x7f, 0, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b});
  CHECK(Module::compile(own_global.bytes()).ok());
  CHECK(Module::compile(own_global.bytes(), {.global_in_const = false})
            .error()
            .message.starts_with("unknown global 0"));
  const Bytes two_tables = Bytes::module().section(4, {2, 0x70, 0, 0, 0x70, 0, 0});
  CHECK(Module::compile(two_tables.bytes()).ok());
  CHECK(Module::compile(two_tables.bytes(), {.multi_table = false}).error().message ==
        "multiple tables");
}

TEST_CASE("equal types have the first one's canonical index") {
  const auto module = Module::compile(Bytes::module()
                                          .section(1, {5, 0x60, 1, 0x7f, 0, 0x60, 0, 0, 0x60, 1,
                                                       0x7f, 0, 0x60, 0, 1, 0x7f, 0x60, 0, 0})
                                          .bytes());
  REQUIRE(module.ok());
  CHECK((*module)->canonical_type == std::vector<uint32_t>{0, 1, 0, 3, 1});
}

TEST_CASE("a name section gives names; a damaged one is left out") {
  const Bytes base = Bytes::module()
                         .section(1, {1, 0x60, 0, 0})
                         .section(2, {1, 1, 'm', 1, 'i', 0, 0})
                         .section(3, {3, 0, 0, 0})
                         .section(7, {1, 1, 'e', 0, 2})
                         .section(10, {3, 2, 0, 0x0b, 2, 0, 0x0b, 2, 0, 0x0b});
  const Bytes name = {4, 'n', 'a', 'm', 'e'};
  const Bytes module_name = {0, 3, 2, 'm', 'y'};
  const auto named = Module::compile(
      Bytes(base).section(0, Bytes(name).put(module_name).put({1, 4, 1, 1, 1, 'f'})).bytes());
  REQUIRE(named.ok());
  CHECK((*named)->name() == "my");
  CHECK((*named)->func_name(0) == "m.i");
  CHECK((*named)->func_name(1) == "f");
  CHECK((*named)->func_name(2) == "e");
  CHECK((*named)->func_name(3) == "func[3]");
  for (const Bytes& damaged : {Bytes{1, 4, 1, 1, 9, 'f'}, Bytes{1, 7, 2, 2, 1, 'f', 1, 1, 'g'},
                               Bytes{1, 4, 1, 1, 1, 0xff}}) {
    const auto module =
        Module::compile(Bytes(base).section(0, Bytes(name).put(module_name).put(damaged)).bytes());
    REQUIRE(module.ok());
    CHECK((*module)->name() == "my");
    CHECK((*module)->func_name(1) == "func[1]");
    CHECK((*module)->func_name(2) == "e");
  }
}

TEST_CASE("exports are found by name and kind; custom sections by name") {
  const auto module =
      Module::compile(Bytes::module()
                          .section(5, {1, 0, 1})
                          .section(7, {3, 1, 'z', 2, 0, 1, 'a', 2, 0, 2, 'a', 'a', 2, 0})
                          .section(0, {1, 'c', 1, 2, 3})
                          .bytes());
  REQUIRE(module.ok());
  const Export* a = (*module)->find_export("a", ExternKind::Memory);
  REQUIRE(a);
  CHECK(a->name == "a");
  CHECK((*module)->find_export("z", ExternKind::Memory));
  CHECK_FALSE((*module)->find_export("a", ExternKind::Func));
  CHECK_FALSE((*module)->find_export("b", ExternKind::Memory));
  CHECK((*module)->custom_section("c").size() == 3);
  CHECK((*module)->custom_section("d").empty());
}

TEST_CASE("tables with an initial value, and the long form of nullable references") {
  const auto module =
      Module::compile(Bytes::module()
                          .section(4, {2, 0x40, 0, 0x63, 0x70, 0, 3, 0xd0, 0x70, 0x0b, 0x6f, 0, 1})
                          .bytes());
  REQUIRE_MESSAGE(module.ok(), module.error().to_string());
  CHECK((*module)->tables[0].type.element == ValType::FuncRef);
  CHECK((*module)->tables[0].init.end - (*module)->tables[0].init.begin == 3);
  CHECK((*module)->tables[1].init.begin == (*module)->tables[1].init.end);
}
