// A seal is a file of one Record, replaced by rename. It is not synced: what a power failure leaves of it has no right checksum, and is
// as no seal.
#include "store/seals.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "store/checksum.hpp"

namespace krait::store {
namespace {

constexpr int64_t SettleNs = 100'000'000;  ///< ten times a file system's clock tick, at its slowest

struct Record {
  char magic[8] = {'k', 'r', 'a', 'i', 't', 'S', '0', '1'};
  Seals::Stamp stamp;
  Digest digest;
  uint64_t checksum = 0;  ///< of what stands before
};
static_assert(sizeof(Record) == 104);

uint64_t checksum_of(const Record& record) {
  return store::checksum_of(std::as_bytes(std::span(&record, 1)).first(offsetof(Record, checksum)));
}

int64_t ns_of(const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

/// Zeros where there is no /proc: then seals outlive a boot.
void read_boot(uint64_t (&boot)[2]) {
  const Fd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[37] = {};
  if (!fd || ::read(fd.get(), text, sizeof text) < 36) return;
  boot[0] = store::checksum_of(std::as_bytes(std::span(text, 36)), 0);
  boot[1] = store::checksum_of(std::as_bytes(std::span(text, 36)), 1);
}

}  // namespace

std::optional<Seals::Stamp> Seals::stamp_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  Stamp stamp{info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), ns_of(info.st_mtim), ns_of(info.st_ctim)};
  read_boot(stamp.boot);
  return stamp;
}

std::optional<Digest> Seals::find(const std::string& name, int fd) const {
  const Fd file(::open((folder_ / name).c_str(), O_RDONLY | O_CLOEXEC));
  Record record;
  const Record wanted;
  if (!file || ::read(file.get(), static_cast<void*>(&record), sizeof record) != sizeof record) return std::nullopt;
  if (std::memcmp(record.magic, wanted.magic, sizeof record.magic) != 0 || record.checksum != checksum_of(record)) return std::nullopt;
  const auto stamp = stamp_of(fd);
  if (!stamp || *stamp != record.stamp) return std::nullopt;
  return record.digest;
}

Result<void> Seals::keep(const std::string& name, int fd, const Stamp& before, const Digest& digest) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto stamp = stamp_of(fd);
  if (!stamp || *stamp != before || ns_of(now) - stamp->changed_ns < SettleNs) return {};
  if (auto made = make_folders(folder_); !made) return made;
  Record record;
  record.stamp = *stamp;
  record.digest = digest;
  record.checksum = checksum_of(record);
  static std::atomic<uint64_t> counter{0};
  const std::filesystem::path path = folder_ / name, work = folder_ / (std::to_string(::getpid()) + "." + std::to_string(counter++));
  const Fd out(::open(work.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out || ::write(out.get(), &record, sizeof record) != sizeof record || ::rename(work.c_str(), path.c_str()) != 0) {
    const Error error = system_error("write", path);
    ::unlink(work.c_str());
    return error;
  }
  return {};
}

}  // namespace krait::store
