// A file is what was kept, then a Trailer on a border of 8 bytes.
//
// Invariants.
//  1. A cache is never a reason to fail: what it cannot do, its user does without.
//  2. Nothing of a file is believed before its trailer names the key that was asked for, and its checksum, or a seal that vouches for
//     it, is right. A seal's digest is the key: a file that was renamed to another one has neither.
#include "pyhost/image_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/checksum.hpp"

namespace krait::pyhost {
namespace {

using store::Digest;

struct Trailer {
  char magic[8] = {'k', 'r', 'a', 'i', 't', 'I', '0', '2'};
  uint64_t size = 0;
  Digest key;
  uint64_t checksum = 0;  ///< of all that stands before it
};
static_assert(sizeof(Trailer) == 56);

constexpr std::string_view LayoutVersion = "02";  ///< in each key: files of another one are not asked for
constexpr std::string_view DigestSeal = "of-";  ///< and a hash of the path

uint64_t checksum_of(std::span<const std::byte> file) { return store::checksum_of(file.first(file.size() - sizeof(uint64_t))); }

std::optional<Trailer> read_trailer(int fd, uint64_t file_bytes) {
  Trailer trailer;
  if (file_bytes < sizeof trailer) return std::nullopt;
  const ssize_t n = ::pread(fd, static_cast<void*>(&trailer), sizeof trailer, static_cast<off_t>(file_bytes - sizeof trailer));
  return n == sizeof trailer ? std::optional(trailer) : std::nullopt;
}

/// Why the trailer is not that of a whole file under this key, or null.
const char* wrong_trailer(const Trailer& trailer, const Digest& key, uint64_t file_bytes) {
  const Trailer wanted;
  if (std::memcmp(trailer.magic, wanted.magic, 6) != 0) return "it is cut short, or no image";
  if (std::memcmp(trailer.magic, wanted.magic, sizeof wanted.magic) != 0) return "it is of another version of krait";
  if (trailer.key != key) return "it is another one's";
  if (trailer.size > file_bytes || (trailer.size + 7) / 8 * 8 + sizeof trailer != file_bytes) return "its length is wrong";
  return nullptr;
}

}  // namespace

Result<std::shared_ptr<const Mapping>> Mapping::of(int fd, size_t readable_behind) {
  struct stat info {};
  const auto failed = [] { return Error{std::string("cannot map: ") + std::strerror(errno)}; };
  if (fstat(fd, &info) != 0) return failed();
  std::shared_ptr<Mapping> mapping(new Mapping);
  const auto size = static_cast<size_t>(info.st_size);
  if (size + readable_behind == 0) return std::shared_ptr<const Mapping>(mapping);
  // What a file's last page has behind its end reads as zeros; pages behind it are nobody's, so they are made first.
  void* at = mmap(nullptr, size + readable_behind, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return failed();
  mapping->mapped_ = size + readable_behind;
  mapping->bytes_ = {static_cast<const std::byte*>(at), size};
  if (size && mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED) return failed();
  return std::shared_ptr<const Mapping>(std::move(mapping));
}

Result<std::shared_ptr<const Mapping>> Mapping::of(const std::string& path, size_t readable_behind) {
  const store::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{"cannot read " + path + ": " + std::strerror(errno)};
  auto mapping = of(fd.get(), readable_behind);
  if (!mapping) mapping.error().message = path + ": " + mapping.error().message;
  return mapping;
}

Mapping::~Mapping() {
  if (mapped_ != 0) munmap(const_cast<std::byte*>(bytes_.data()), mapped_);
}

ImageCache::ImageCache(const std::string& folder, uint64_t cap_bytes, Tell tell)
    : blobs_(folder, cap_bytes), seals_(std::filesystem::path(folder) / "seals"), tell_(std::move(tell)) {}

Digest ImageCache::key(std::initializer_list<std::string_view> parts) {
  std::string text(LayoutVersion);
  for (const std::string_view part : parts) text.append(std::to_string(part.size())).append(":").append(part);
  return Digest::of(std::as_bytes(std::span(text)));
}

void ImageCache::say(const std::string& what) const {
  if (tell_) tell_("the image cache: " + what);
}

std::optional<ImageCache::Image> ImageCache::open_plain(const Digest& key, std::string& why) {
  auto file = blobs_.open(key);
  if (!file) why = file.error().message;
  if (!file || !file->has_value()) return std::nullopt;
  const int fd = (*file)->get();
  const auto stamp = store::Seals::stamp_of(fd);
  const auto trailer = read_trailer(fd, stamp ? stamp->size : 0);
  const char* wrong = trailer ? wrong_trailer(*trailer, key, stamp->size) : "it is cut short, or no image";
  const std::string name = key.hex();
  if (!wrong && seals_.find(name, fd) != key) {
    const auto all = Mapping::of(fd);
    if (!all || (*all)->bytes().size() != stamp->size) wrong = "it cannot be read";
    else if (checksum_of((*all)->bytes()) != trailer->checksum) wrong = "it does not match its checksum";
    else (void)seals_.keep(name, fd, *stamp, key);
  }
  if (!wrong) return Image{std::move(**file), trailer->size};
  why = std::string("damaged file ") + path_of(key) + ": " + wrong;
  return std::nullopt;
}

std::optional<ImageCache::Image> ImageCache::open(const Digest& key) {
  const std::lock_guard lock(mutex_);
  std::string why;
  auto image = open_plain(key, why);
  if (image || why.empty()) return image;
  (void)blobs_.remove_plain(key);
  std::string why_again;
  image = open_plain(key, why_again);
  say(why + (image ? "; unpacking it again" : "; making it again"));
  if (!image) (void)blobs_.remove(key);
  return image;
}

void ImageCache::keep(const Digest& key, std::vector<std::byte> contents) {
  Trailer trailer;
  trailer.size = contents.size();
  trailer.key = key;
  contents.resize((contents.size() + 7) / 8 * 8 + sizeof trailer);
  const auto put = [&] { std::memcpy(contents.data() + contents.size() - sizeof trailer, &trailer, sizeof trailer); };
  put();
  trailer.checksum = checksum_of(contents);
  put();
  const std::lock_guard lock(mutex_);
  if (auto kept = blobs_.put(key, contents); !kept) say(kept.error().message + "; going on without");
  seals_.prune([this](const std::string& name) {
    const auto of = Digest::parse(name);
    return of ? ::access(path_of(*of).c_str(), F_OK) != 0 : !name.starts_with(DigestSeal);
  });
}

void ImageCache::drop(const Digest& key, const std::string& why) {
  const std::lock_guard lock(mutex_);
  say("useless file " + path_of(key) + ": " + why + "; making it again");
  (void)blobs_.remove(key);
}

Digest ImageCache::digest_of(const std::string& path, int fd, std::span<const std::byte> contents) {
  char name[32];
  std::snprintf(name, sizeof name, "%s%016llx", std::string(DigestSeal).c_str(),
                static_cast<unsigned long long>(store::checksum_of(std::as_bytes(std::span(path)))));
  const std::lock_guard lock(mutex_);
  if (const auto known = seals_.find(name, fd)) return *known;
  const auto before = store::Seals::stamp_of(fd);
  const Digest digest = Digest::of(contents);
  if (before) (void)seals_.keep(name, fd, *before, digest);
  return digest;
}

}  // namespace krait::pyhost
