#include "store/blob_store.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/store/scratch.hpp"

using namespace krait::store;
using namespace krait::store::testing;
namespace fs = std::filesystem;

TEST_CASE("a digest is SHA-256, and its hex form is read back") {
  const Digest abc = Digest::of(bytes_of("abc"));  // FIPS 180-2, appendix B.1
  CHECK(abc.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Digest::parse(abc.hex()) == abc);
  CHECK(Digest::parse(abc.hex().substr(1)) == std::nullopt);
  std::string bad = abc.hex();
  bad[5] = 'g';
  CHECK(Digest::parse(bad) == std::nullopt);
}

TEST_CASE("what is put is got back: empty, small, binary, large") {
  const Scratch scratch;
  BlobStore store(scratch.path() / "not" / "yet");
  for (const Bytes& contents :
       {Bytes{}, bytes_of("x"), bytes_of(std::string("a\0b\xff", 4)), noise(3'000'000, 1), Bytes(50'000'000)}) {
    const auto digest = store.put(contents);
    REQUIRE(digest.ok());
    CHECK(*digest == Digest::of(contents));
    const auto got = store.get(*digest);
    REQUIRE(got.ok());
    REQUIRE(got->has_value());
    CHECK(**got == contents);
  }
  CHECK(store.list()->size() == 5);
  CHECK(*store.size() < 3'100'000);  // the zeros are compressed
}

TEST_CASE("an unknown key is nothing, also where there is no folder") {
  const Scratch scratch;
  BlobStore store(scratch.path() / "none");
  const auto got = store.get(Digest{});
  REQUIRE(got.ok());
  CHECK_FALSE(got->has_value());
  CHECK_FALSE(store.contains(Digest{}));
  CHECK(store.list()->empty());
  CHECK_FALSE(*store.remove(Digest{}));
  CHECK_FALSE(fs::exists(scratch.path() / "none"));
}

TEST_CASE("the same contents are kept once") {
  const Scratch scratch;
  BlobStore store(scratch.path());
  REQUIRE(store.put(bytes_of("once")).ok());
  const size_t files = files_below(scratch.path());
  REQUIRE(store.put(bytes_of("once")).ok());
  CHECK(files_below(scratch.path()) == files);
}

TEST_CASE("a blob with any bit flipped, cut short or made longer is reported and cured by a new put") {
  const Scratch scratch;
  BlobStore store(scratch.path());
  const Bytes contents = noise(300, 2);
  const Digest digest = *store.put(contents);
  const fs::path path = store.path_of(digest);
  const auto size = static_cast<std::streamoff>(fs::file_size(path));
  const auto check_damaged = [&] {
    const auto got = store.get(digest);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().message.find(path.string()) != std::string::npos);
    REQUIRE(store.put(contents).ok());
    CHECK(**store.get(digest) == contents);
  };
  for (std::streamoff at = 0; at < size; ++at) {
    CAPTURE(at);
    flip_bit(path, at);
    check_damaged();
  }
  for (std::streamoff at = 0; at < size; at += 7) {
    CAPTURE(at);
    fs::resize_file(path, static_cast<uintmax_t>(at));
    check_damaged();
  }
  std::ofstream(path, std::ios::app) << 'x';
  check_damaged();
}

TEST_CASE("a header that claims 15 EiB allocates nothing") {
  const Scratch scratch;
  BlobStore store(scratch.path());
  const Digest digest = *store.put(bytes_of("small"));
  std::fstream file(store.path_of(digest), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8);
  for (int i = 0; i < 8; ++i) file.put('\xee');
  file.close();
  CHECK_FALSE(store.get(digest).ok());
}

TEST_CASE("under a key of its own a blob is replaced") {
  const Scratch scratch;
  BlobStore cache(scratch.path());
  const Digest key = Digest::of(bytes_of("recipe 1"));
  REQUIRE(cache.put_as(key, bytes_of("old")).ok());
  REQUIRE(cache.put_as(key, bytes_of("new")).ok());
  CHECK(**cache.get(key) == bytes_of("new"));
  CHECK(cache.list()->size() == 1);
  CHECK(*cache.remove(key));
  CHECK_FALSE(cache.contains(key));
}

TEST_CASE("beyond the cap the blobs unused for longest go") {
  const Scratch scratch;
  BlobStore cache(scratch.path(), {.cap_bytes = 50'000});
  std::vector<Digest> keys;
  for (unsigned i = 0; i < 4; ++i) {
    keys.push_back(*cache.put(noise(10'000, i)));
    const timespec used{1000 + i, 0};  // a past in which blob 0 was used first
    const timespec times[] = {used, used};
    REQUIRE(::utimensat(AT_FDCWD, cache.path_of(keys.back()).c_str(), times, 0) == 0);
  }
  REQUIRE((*cache.get(keys[0])).has_value());  // now blob 1 is the one unused for longest
  keys.push_back(*cache.put(noise(10'000, 4)));
  CHECK(*cache.size() <= 50'000);
  CHECK(cache.contains(keys[0]));
  CHECK_FALSE(cache.contains(keys[1]));
  CHECK(cache.contains(keys[4]));

  const Digest large = *cache.put(noise(90'000, 5));  // larger than the cap: it stays, alone
  CHECK(*cache.list() == std::vector{large});
}

TEST_CASE("what a dead writer left in tmp/ goes with the next put") {
  const Scratch scratch;
  BlobStore store(scratch.path());
  REQUIRE(store.put(bytes_of("a")).ok());
  std::ofstream(scratch.path() / "tmp" / "1234.0") << "half";
  REQUIRE(store.put(bytes_of("b")).ok());
  CHECK(fs::is_empty(scratch.path() / "tmp"));
}

TEST_CASE("a folder that cannot be made is an error that names it") {
  const Scratch scratch;
  std::ofstream(scratch.path() / "file") << "x";
  BlobStore store(scratch.path() / "file" / "blobs");
  const auto put = store.put(bytes_of("a"));
  REQUIRE_FALSE(put.ok());
  CHECK(put.error().message.find((scratch.path() / "file").string()) != std::string::npos);
}
