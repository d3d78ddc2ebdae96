// A blob is a file XX/REST-OF-THE-KEY: a Header, then one zstd frame.
//
// Invariants.
//  1. Writers hold the lock of the folder: so what they find in tmp/ was left by a writer that died, and is removed.
//  2. Readers take no lock: a file is complete when it gets its name, and one that is unlinked while it is open stays
//  readable.
//  3. Nothing of a file is believed before the checksum of the contents is: a size is only a bound until then.
#include "store/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace krait::store {
namespace {

namespace fs = std::filesystem;

struct Header {
  char magic[8] = {'k', 'r', 'a', 'i', 't', 'B', '0', '1'};
  uint64_t size = 0;  ///< of the contents
  Digest checksum;    ///< of the contents
};
static_assert(sizeof(Header) == 48);

/// Larger contents are not ours: a damaged header must not make us allocate without end.
constexpr uint64_t MaxContents = uint64_t{16} << 30;
/// zstd's densest: no more than some 1 to 33,000 (blocks of one repeated byte); more is a lie of the header.
constexpr uint64_t MaxRatio = 100'000;

Error damaged(const fs::path& path) {
  return {"damaged blob (its contents do not match their checksum): " + path.string() +
          ": remove the file, and upload or build again what it held"};
}

Result<Bytes> compress(std::span<const std::byte> contents, int level) {
  Bytes packed(ZSTD_compressBound(contents.size()));
  const size_t n = ZSTD_compress(packed.data(), packed.size(), contents.data(), contents.size(), level);
  if (ZSTD_isError(n)) return Error{std::string("zstd: ") + ZSTD_getErrorName(n)};
  packed.resize(n);
  return packed;
}

/// The contents of a blob's file, or nothing where they are not what was put.
std::optional<Bytes> unpack(std::span<const std::byte> file) {
  const Header expected;
  Header header;
  if (file.size() < sizeof header) return std::nullopt;
  std::memcpy(static_cast<void*>(&header), file.data(), sizeof header);
  const auto packed = file.subspan(sizeof header);
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0 || header.size > MaxContents ||
      header.size / MaxRatio > packed.size() || ZSTD_getFrameContentSize(packed.data(), packed.size()) != header.size)
    return std::nullopt;
  Bytes contents(header.size);
  const size_t n = ZSTD_decompress(contents.data(), contents.size(), packed.data(), packed.size());
  if (ZSTD_isError(n) || n != contents.size() || Digest::of(contents) != header.checksum) return std::nullopt;
  return contents;
}

}  // namespace

BlobStore::BlobStore(fs::path folder, BlobOptions options) : folder_(std::move(folder)), options_(options) {}

fs::path BlobStore::path_of(const Digest& key) const {
  const std::string hex = key.hex();
  return folder_ / hex.substr(0, 2) / hex.substr(2);
}

Result<Digest> BlobStore::put(std::span<const std::byte> contents) {
  const Digest digest = Digest::of(contents);
  const auto have = get(digest);
  if (have.ok() && have->has_value()) return digest;
  if (auto written = write(digest, digest, contents); !written) return written.error();
  return digest;
}

Result<void> BlobStore::put_as(const Digest& key, std::span<const std::byte> contents) {
  return write(key, Digest::of(contents), contents);
}

Result<void> BlobStore::write(const Digest& key, const Digest& checksum, std::span<const std::byte> contents) {
  auto packed = compress(contents, options_.zstd_level);
  if (!packed) return packed.error();
  Header header;
  header.size = contents.size();
  header.checksum = checksum;

  const fs::path path = path_of(key), temporary = folder_ / "tmp";
  for (const fs::path& folder : {temporary, path.parent_path()})
    if (auto made = make_folders(folder); !made) return made;
  const auto lock = lock_file(folder_ / "lock");
  if (!lock) return lock.error();
  if (auto cleaned = remove_leftovers(temporary); !cleaned) return cleaned;
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(&header, 1)), *packed};
  if (auto written = write_file(path, temporary, parts); !written) return written;
  return options_.cap_bytes ? trim(key) : Result<void>();
}

Result<std::optional<Bytes>> BlobStore::get(const Digest& key) const {
  const fs::path path = path_of(key);
  auto file = read_file(path);
  if (!file) return file.error();
  if (!file->has_value()) return std::optional<Bytes>{};
  auto contents = unpack(**file);
  if (!contents) return damaged(path);
  // The time of the last use, for trim(); where the folder is not ours to write, nobody trims it either.
  if (options_.cap_bytes) (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return contents;
}

bool BlobStore::contains(const Digest& key) const {
  struct stat info {};
  return ::stat(path_of(key).c_str(), &info) == 0;
}

Result<bool> BlobStore::remove(const Digest& key) { return remove_file(path_of(key)); }

Result<std::vector<Digest>> BlobStore::list() const {
  std::vector<Digest> keys;
  const auto folders = list_folder(folder_);
  if (!folders) return folders.error();
  for (const std::string& first : *folders) {
    if (first.size() != 2) continue;
    const auto names = list_folder(folder_ / first);
    if (!names) return names.error();
    for (const std::string& rest : *names)
      if (const auto key = Digest::parse(first + rest)) keys.push_back(*key);
  }
  return keys;
}

Result<uint64_t> BlobStore::size() const {
  const auto keys = list();
  if (!keys) return keys.error();
  uint64_t total = 0;
  struct stat info {};
  for (const Digest& key : *keys)
    if (::stat(path_of(key).c_str(), &info) == 0) total += static_cast<uint64_t>(info.st_size);
  return total;
}

Result<void> BlobStore::trim(const Digest& newest) {
  struct Entry {
    int64_t used_ns;
    uint64_t size;
    Digest key;
  };
  const auto keys = list();
  if (!keys) return keys.error();
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const Digest& key : *keys) {
    struct stat info {};
    if (::stat(path_of(key).c_str(), &info) != 0) continue;
    const auto size = static_cast<uint64_t>(info.st_size);
    total += size;
    if (key != newest)
      entries.push_back({int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec, size, key});
  }
  if (total <= options_.cap_bytes) return {};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used_ns < b.used_ns; });
  for (const Entry& entry : entries) {
    if (total <= options_.cap_bytes / 10 * 9) break;
    if (auto removed = remove(entry.key); !removed) return removed.error();
    total -= entry.size;
  }
  return {};
}

}  // namespace krait::store
