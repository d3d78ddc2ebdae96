// Seals: what was found out of a file holds for as long as nothing happens to the file.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "store/seals.hpp"
#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;

namespace {

struct Sealed {
  Scratch scratch;
  Seals seals{scratch.path() / "seals"};
  std::filesystem::path path = scratch.path() / "file";
  Digest digest = Digest::of(bytes_of("found out"));

  Sealed() {
    write(noise(10'000, 1), path);
    std::this_thread::sleep_for(std::chrono::milliseconds(120));  // a file just written is not sealed
    const Fd fd = open();
    REQUIRE(seals.keep("name", fd.get(), *Seals::stamp_of(fd.get()), digest).ok());
  }
  static void write(const Bytes& bytes, const std::filesystem::path& to) {
    const std::span<const std::byte> parts[] = {bytes};
    REQUIRE(write_file(to, to.parent_path(), parts).ok());
  }
  [[nodiscard]] Fd open() const { return Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC)); }
  [[nodiscard]] bool holds() const { return seals.find("name", open().get()) == digest; }
};

}  // namespace

TEST_CASE("a seal holds while nothing happens to its file") {
  const Sealed sealed;
  CHECK(sealed.holds());
  CHECK_FALSE(sealed.seals.find("other", sealed.open().get()).has_value());
}

TEST_CASE("a write, a truncation and another file in its place break a seal, with the old times too") {
  for (int what = 0; what < 3; ++what) {
    const Sealed sealed;
    struct stat old {};
    REQUIRE(::stat(sealed.path.c_str(), &old) == 0);
    if (what == 0) flip_bit(sealed.path, 5000);
    if (what == 1) std::filesystem::resize_file(sealed.path, 9'999);
    if (what == 2) Sealed::write(noise(10'000, 1), sealed.path);
    CHECK_FALSE(sealed.holds());
    const timespec times[] = {old.st_atim, old.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, sealed.path.c_str(), times, 0) == 0);
    CHECK_FALSE(sealed.holds());
  }
}

TEST_CASE("a damaged seal is none, wherever it is damaged") {
  const Sealed sealed;
  const auto file = sealed.scratch.path() / "seals" / "name";
  const auto size = std::filesystem::file_size(file);
  for (size_t at = 0; at < size; ++at) {
    flip_bit(file, at);
    CHECK_FALSE(sealed.holds());
    flip_bit(file, at);
  }
  CHECK(sealed.holds());
  std::filesystem::resize_file(file, size - 1);
  CHECK_FALSE(sealed.holds());
}

TEST_CASE("a file that changed while it was looked at, or just now, is not sealed") {
  Sealed sealed;
  const Fd fd = sealed.open();
  const auto before = *Seals::stamp_of(fd.get());
  flip_bit(sealed.path, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  REQUIRE(sealed.seals.keep("name", fd.get(), before, sealed.digest).ok());
  CHECK_FALSE(sealed.holds());
  flip_bit(sealed.path, 1);
  REQUIRE(sealed.seals.keep("name", fd.get(), *Seals::stamp_of(fd.get()), sealed.digest).ok());
  CHECK_FALSE(sealed.holds());
}
