// Files of code: the same bytes for the same module, and only a whole file for this module, compiler and CPU is mapped.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

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
