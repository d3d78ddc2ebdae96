// A plain file is a copy: without its blob it is removed, and the blob's time of last use stands for both.
//
// Invariants.
//  1. Writers hold the lock of the folder, as BlobStore's do: the two share tmp/.
//  2. A plain file gets its name when it is complete and synced, and is never written again: it can be mapped while others
//  replace or remove it.
//  3. A plain file is made of contents that matched their SHA-256 just then, or that came from put().
#include "store/mapped_blobs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace krait::store {
namespace fs = std::filesystem;

MappedBlobs::MappedBlobs(fs::path folder, uint64_t cap_bytes)
    : blobs_(folder, {}), plain_(folder / "plain"), cap_bytes_(cap_bytes) {}

Result<std::optional<Fd>> MappedBlobs::open_plain(const Digest& key) const {
  const fs::path path = plain_path(key);
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::optional<Fd>{};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return system_error("open", path);
  if ((info.st_uid != ::geteuid() && info.st_uid != 0) || (info.st_mode & 022) || !S_ISREG(info.st_mode))
    return Error{"others may write " + path.string() + ": remove it"};
  // A blob that is gone takes its copy along at the next put(); until then there is nothing to note.
  (void)::utimensat(AT_FDCWD, blobs_.path_of(key).c_str(), nullptr, 0);
  return std::optional<Fd>(std::move(fd));
}

Result<std::optional<Fd>> MappedBlobs::open(const Digest& key) {
  auto plain = open_plain(key);
  if (!plain || plain->has_value()) return plain;
  const auto contents = blobs_.get(key);
  if (!contents) return contents.error();
  if (!contents->has_value()) return std::optional<Fd>{};
  if (auto written = write_plain(key, **contents); !written) return written.error();
  return open_plain(key);
}

Result<void> MappedBlobs::put(const Digest& key, std::span<const std::byte> contents) {
  if (auto kept = blobs_.put_as(key, contents); !kept) return kept;
  return write_plain(key, contents);
}

Result<void> MappedBlobs::write_plain(const Digest& key, std::span<const std::byte> contents) {
  const fs::path temporary = folder() / "tmp";
  for (const fs::path& folder : {temporary, plain_})
    if (auto made = make_folders(folder); !made) return made;
  const auto lock = lock_file(folder() / "lock");
  if (!lock) return lock.error();
  if (auto cleaned = remove_leftovers(temporary); !cleaned) return cleaned;
  const std::span<const std::byte> parts[] = {contents};
  if (auto written = write_file(plain_path(key), temporary, parts); !written) return written;
  return trim(key);
}

Result<bool> MappedBlobs::remove(const Digest& key) {
  // The copy last: were it the first, another process could unpack the blob again in between.
  const auto blob = blobs_.remove(key);
  if (!blob) return blob;
  const auto plain = remove_file(plain_path(key));
  if (!plain) return plain;
  return *blob || *plain;
}

Result<void> MappedBlobs::trim(const Digest& newest) {
  struct Entry {
    int64_t used_ns;
    uint64_t size;
    Digest key;
  };
  const auto keys = blobs_.list();
  if (!keys) return keys.error();
  const auto plains = list_folder(plain_);
  if (!plains) return plains.error();
  for (const std::string& name : *plains) {
    const auto key = Digest::parse(name);
    if (key && std::binary_search(keys->begin(), keys->end(), *key)) continue;
    if (auto removed = remove_file(plain_ / name); !removed) return removed.error();
  }
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const Digest& key : *keys) {
    struct stat blob {}, plain {};
    if (::stat(blobs_.path_of(key).c_str(), &blob) != 0) continue;
    if (::stat(plain_path(key).c_str(), &plain) != 0) plain.st_blocks = 0;
    // What they take on the disk: plain files have holes where they are zero.
    const auto size = static_cast<uint64_t>(blob.st_blocks + plain.st_blocks) * 512;
    total += size;
    if (key != newest)
      entries.push_back({int64_t{blob.st_mtim.tv_sec} * 1'000'000'000 + blob.st_mtim.tv_nsec, size, key});
  }
  if (!cap_bytes_) return {};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used_ns < b.used_ns; });
  for (const Entry& entry : entries) {
    if (total <= cap_bytes_) break;
    if (auto removed = remove(entry.key); !removed) return removed.error();
    total -= entry.size;
  }
  return {};
}

}  // namespace krait::store
