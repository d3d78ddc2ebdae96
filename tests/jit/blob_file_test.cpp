// Files of code: the same bytes for the same module, and only a whole file for this module, compiler and CPU is mapped.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "jit/blob_file.hpp"
#include "jit/jit.hpp"
#include "tests/engine/guest.hpp"

using namespace krait::jit;

namespace {

struct Subject {
  std::shared_ptr<const krait::engine::Module> module = krait::test::compiled(R"((module (memory 1)
    (func $f (export "f") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "g") (param i32) (result i32) (call $f (local.get 0)))))");
  BlobIdentity identity{{1, 2, 3}, 5};
  std::vector<std::byte> file(uint32_t threads = 1) const {
    const auto compiler = make_compiler({.threads = threads});
    const auto image = compiler->image_for(module);
    return to_file(static_cast<const Image&>(*image).blob(), *module, identity);
  }
};

/// What map_file() says of these bytes; "" when it took them.
std::string verdict(std::span<const std::byte> bytes, const krait::engine::Module& module, const BlobIdentity& identity) {
  const int fd = memfd_create("code", MFD_CLOEXEC);
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const auto mapped = map_file(fd, module, identity);
  close(fd);
  return mapped ? "" : mapped.error().message;
}

}  // namespace

TEST_CASE("a file of code is the same whatever the number of threads, and is taken") {
  const Subject s;
  const auto file = s.file();
  CHECK(file == s.file(4));
  CHECK(verdict(file, *s.module, s.identity) == "");
}

TEST_CASE("a file of code with any byte of header or tables changed, or cut anywhere, is rejected") {
  const Subject s;
  auto file = s.file();
  for (size_t i = 0; i < file.size(); i += i < 600 ? 1 : 37) {
    CAPTURE(i);
    file[i] ^= std::byte{0x10};
    CHECK(verdict(file, *s.module, s.identity) != "");
    file[i] ^= std::byte{0x10};
    CHECK(verdict(std::span(file).first(i), *s.module, s.identity) != "");
  }
}

TEST_CASE("code of another module, CPU or key is rejected, and the reason says so") {
  const Subject s;
  const auto file = s.file();
  BlobIdentity other = s.identity;
  other.cpu ^= 1;
  CHECK(verdict(file, *s.module, other) == "it is for another CPU");
  other = s.identity;
  other.key[31] ^= 1;
  CHECK(verdict(file, *s.module, other) == "it is of another module");
  CHECK(verdict(file, *krait::test::compiled("(module)"), s.identity) == "it is of another module");
}

namespace {

// The header's fields; the checksum is over all but itself.
constexpr size_t Compiler = 8, Key = 72, Asmjit = 104, Cpu = 108, ModuleBytes = 112, Functions = 120, Sites = 124, Landings = 132,
                 CodeBytes = 144, Checksum = 160, HeaderBytes = 168;

/// Changes 32 bits of a file and makes its checksum right again: so who reads it has to look at the field itself.
std::string verdict_with(const Subject& s, std::vector<std::byte> file, size_t at, uint32_t value) {
  std::memcpy(file.data() + at, &value, sizeof value);
  const uint64_t head = XXH3_64bits(file.data(), Checksum);
  const uint64_t sum = XXH3_64bits_withSeed(file.data() + HeaderBytes, file.size() - HeaderBytes, head);
  std::memcpy(file.data() + Checksum, &sum, sizeof sum);
  return verdict(file, *s.module, s.identity);
}

uint32_t field(const std::vector<std::byte>& file, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

}  // namespace

TEST_CASE("each field is checked for itself: a file with a right checksum and one wrong field is rejected") {
  const Subject s;
  const auto file = s.file();
  const auto with = [&](size_t at, uint32_t value) { return verdict_with(s, file, at, value); };
  CHECK(with(Cpu, field(file, Cpu)) == "");  // the checksum here is the one there
  CHECK(with(0, 1) == "it is no file of code");
  CHECK(with(Compiler, 0x30303030) == "it is of another version of the compiler");
  CHECK(with(Asmjit, field(file, Asmjit) + 1) == "it is of another version of the compiler");
  CHECK(with(Cpu, field(file, Cpu) ^ 1) == "it is for another CPU");
  CHECK(with(Key + 28, 7) == "it is of another module");
  CHECK(with(ModuleBytes, field(file, ModuleBytes) + 1) == "it is of another module");
  CHECK(with(Landings, 0x10000) == "its sizes contradict each other");
  CHECK(with(CodeBytes, field(file, CodeBytes) + 1) == "its sizes contradict each other");
  // One function less and two sites more take the same room: the tables are then not the module's.
  auto shifted = file;
  const uint32_t sites = field(file, Sites) + 2;
  std::memcpy(shifted.data() + Sites, &sites, sizeof sites);
  CHECK(verdict_with(s, shifted, Functions, field(file, Functions) - 1) == "its tables are not the module's");
}

TEST_CASE("each entry of the tables is checked: a writer's error does not lead outside") {
  const Subject s;
  const auto file = s.file();
  const auto with = [&](size_t at, uint32_t value) { return verdict_with(s, file, at, value); };
  const size_t function = HeaderBytes, site = HeaderBytes + 16 * field(file, Functions), enter = site + 8 * field(file, Sites);
  CHECK(with(function, 0x7fffffff) == "a function lies outside");                    // begin
  CHECK(with(function + 4, 0x7fffffff) == "a function lies outside");                // end
  CHECK(with(function + 8, 0x7fffffff) == "a function lies outside");                // frame_bytes
  CHECK(with(function + 12, 2) == "a function lies outside");                        // compiled
  CHECK(with(function + 4, field(file, function)) == "a function has no entry");     // empty, and said to be compiled
  REQUIRE(field(file, Sites) > 0);
  CHECK(with(site, 0x7fffffff) == "a site lies outside");
  CHECK(with(site + 4, field(file, site + 4) | 0x07ffffff) == "a site lies outside");  // its place in the module
  CHECK(with(enter, 0x7fffffff) == "an entry thunk lies outside");
}

TEST_CASE("each landing of exceptions is checked") {
  Subject s;
  s.module = krait::test::compiled(R"((module (tag $t (param i32)) (func $f (throw $t (i32.const 1)))
    (func (result i32) (try (result i32) (do (call $f) (i32.const 2)) (catch $t)))))");
  const auto file = s.file();
  CHECK(verdict(file, *s.module, s.identity) == "");
  REQUIRE(field(file, Landings) == 1);
  const size_t landing = HeaderBytes + 16 * field(file, Functions) + 8 * field(file, Sites);
  CHECK(verdict_with(s, file, landing, 0x7fffffff) == "a landing lies outside");      // site
  CHECK(verdict_with(s, file, landing + 4, 1) == "a landing lies outside");           // tag
  CHECK(verdict_with(s, file, landing + 8, 0x7fffffff) == "a landing lies outside");  // target
}
