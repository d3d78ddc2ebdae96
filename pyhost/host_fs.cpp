// Files of this machine. Invariants.
//  1. Every path is resolved by openat2 with RESOLVE_BENEATH on the directory's own descriptor, in one system call, so
//     that neither "..", nor a link, nor a rename by someone else while it runs leads out.
//  2. Calls that the kernel has no such form of (mkdir, unlink, rename, ...) get the parent that openat2 opened and a
//     last component, which they do not follow.
//  3. Nothing blocks in open: FIFOs and devices are opened O_NONBLOCK, and their reads and writes are retried
//     by the caller after Waiter::before_transfer.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "pyhost/vfs.hpp"

namespace krait::pyhost {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Errno last_errno() { return errno_from_host(errno); }

IoResult<void> done(int result) {
  if (result < 0) return last_errno();
  return {};
}

/// openat2, beneath `directory`; EXDEV is its word for a path that leads out.
IoResult<Descriptor> open_beneath(int directory, const std::string& path, uint64_t flags, uint64_t mode = 0, uint64_t resolve = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
  for (int tries = 0;; tries++) {
    const long fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Descriptor(static_cast<int>(fd));
    if (errno == EINTR) continue;
    if (errno == EAGAIN && !(resolve & RESOLVE_CACHED) && tries < 100) continue;  // a rename was under way beside it
    if (errno == EXDEV) return Errno::NotCapable;
    return last_errno();
  }
}

FileType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::RegularFile;
    case S_IFDIR:
      return FileType::Directory;
    case S_IFLNK:
      return FileType::SymbolicLink;
    case S_IFCHR:
      return FileType::CharacterDevice;
    case S_IFBLK:
      return FileType::BlockDevice;
    case S_IFSOCK:
      return FileType::SocketStream;
    default:
      return FileType::Unknown;
  }
}

uint64_t nanoseconds(const timespec& t) {
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

FileStat stat_of(const struct stat& s) {
  FileStat out;
  out.dev = s.st_dev;
  out.ino = s.st_ino;
  out.type = type_of(s.st_mode);
  out.nlink = s.st_nlink;
  out.size = static_cast<uint64_t>(s.st_size);
  out.atim = nanoseconds(s.st_atim);
  out.mtim = nanoseconds(s.st_mtim);
  out.ctim = nanoseconds(s.st_ctim);
  return out;
}

IoResult<FileStat> stat_fd(int fd) {
  struct stat s{};
  if (fstat(fd, &s) < 0) return last_errno();
  return stat_of(s);
}

struct Times {
  timespec both[2];
  explicit Times(const FileTimes& times) : both{one(times.atim), one(times.mtim)} {}
  static timespec one(const std::optional<uint64_t>& ns) {
    if (!ns) return {0, UTIME_OMIT};
    return {static_cast<time_t>(*ns / 1'000'000'000), static_cast<long>(*ns % 1'000'000'000)};
  }
};

int open_flags_of(uint16_t fd_flags) {
  int flags = 0;
  if (fd_flags & fd_flag::Append) flags |= O_APPEND;
  if (fd_flags & fd_flag::Dsync) flags |= O_DSYNC;
  if (fd_flags & (fd_flag::Sync | fd_flag::Rsync)) flags |= O_SYNC;
  return flags;
}

bool fits_offset(uint64_t offset) { return offset <= static_cast<uint64_t>(INT64_MAX); }

/// A file or stream. Reads and writes that would block give Again; `flags` says whether the guest wants to see it.
class HostFile final : public File {
 public:
  HostFile(int fd, bool owned, uint16_t flags, bool read_only = false)
      : fd_(fd), owned_(owned), read_only_(read_only), flags_(flags) {
    struct stat s{};
    if (fstat(fd, &s) == 0) type_ = type_of(s.st_mode);
    seekable_ = type_ == FileType::RegularFile || type_ == FileType::BlockDevice ||
                (type_ == FileType::CharacterDevice && !isatty(fd) && lseek(fd, 0, SEEK_CUR) >= 0);
  }
  ~HostFile() override {
    if (owned_) ::close(fd_);
  }

  [[nodiscard]] FileType type() const override { return type_; }
  [[nodiscard]] bool seekable() const override { return seekable_; }
  [[nodiscard]] int poll_fd() const override { return type_ == FileType::RegularFile ? -1 : fd_; }
  [[nodiscard]] int host_fd() const override { return fd_; }

  IoResult<uint64_t> read(std::span<const iovec> to) override {
    return transferred(readv(fd_, to.data(), static_cast<int>(to.size())));
  }
  IoResult<uint64_t> write(std::span<const iovec> from) override {
    return transferred(writev(fd_, from.data(), static_cast<int>(from.size())));
  }
  IoResult<uint64_t> pread(std::span<const iovec> to, uint64_t offset) override {
    if (!fits_offset(offset)) return Errno::Inval;
    return transferred(preadv(fd_, to.data(), static_cast<int>(to.size()), static_cast<off_t>(offset)));
  }
  IoResult<uint64_t> pwrite(std::span<const iovec> from, uint64_t offset) override {
    if (!fits_offset(offset)) return Errno::Inval;
    return transferred(pwritev(fd_, from.data(), static_cast<int>(from.size()), static_cast<off_t>(offset)));
  }
  IoResult<uint64_t> seek(int64_t offset, Whence whence) override {
    static constexpr int Host[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    return transferred(lseek(fd_, offset, Host[static_cast<int>(whence)]));
  }
  IoResult<FileStat> stat() override { return stat_fd(fd_); }
  IoResult<void> set_size(uint64_t size) override {
    if (!fits_offset(size)) return Errno::FBig;
    return done(ftruncate(fd_, static_cast<off_t>(size)));
  }
  IoResult<void> allocate(uint64_t offset, uint64_t length) override {
    if (length == 0 || !fits_offset(offset) || !fits_offset(length)) return Errno::Inval;
    if (!fits_offset(offset + length)) return Errno::FBig;
    return done(fallocate(fd_, 0, static_cast<off_t>(offset), static_cast<off_t>(length)));
  }
  IoResult<void> set_times(FileTimes times) override {
    if (read_only_) return Errno::RoFs;  // the system would allow it to the owner
    return done(futimens(fd_, Times(times).both));
  }
  IoResult<void> advise(uint64_t offset, uint64_t length, Advice advice) override {
    static constexpr int Host[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                   POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    if (!fits_offset(offset) || !fits_offset(length)) return Errno::Inval;
    return errno_result(posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                                      Host[static_cast<int>(advice)]));
  }
  IoResult<void> sync(bool data_only) override { return done(data_only ? fdatasync(fd_) : fsync(fd_)); }
  [[nodiscard]] uint16_t flags() override { return flags_; }
  IoResult<void> set_flags(uint16_t flags) override {
    constexpr uint16_t Fixed = fd_flag::Dsync | fd_flag::Rsync | fd_flag::Sync;
    if ((flags ^ flags_) & Fixed) return Errno::NotSup;  // Linux cannot change these on an open file
    // A descriptor that this process shares with others keeps its status flags: only ours are noted.
    if (owned_) {
      const int now = fcntl(fd_, F_GETFL);
      const int want = (now & ~O_APPEND) | (flags & fd_flag::Append ? O_APPEND : 0);
      if (now < 0 || fcntl(fd_, F_SETFL, want) < 0) return last_errno();
    }
    flags_ = flags;
    return {};
  }
  [[nodiscard]] uint64_t available() override {
    if (type_ == FileType::RegularFile) {
      struct stat s{};
      const off_t at = lseek(fd_, 0, SEEK_CUR);
      return fstat(fd_, &s) == 0 && s.st_size > at ? static_cast<uint64_t>(s.st_size - at) : 0;
    }
    int bytes = 0;
    return ioctl(fd_, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
  }

 private:
  static IoResult<uint64_t> transferred(ssize_t n) {
    if (n < 0) return last_errno();
    return static_cast<uint64_t>(n);
  }
  static IoResult<void> errno_result(int error) {
    if (error != 0) return errno_from_host(error);
    return {};
  }

  int fd_;
  bool owned_, read_only_;
  uint16_t flags_;
  FileType type_ = FileType::Unknown;
  bool seekable_ = false;
};

class HostDirectory final : public Directory {
 public:
  HostDirectory(Descriptor fd, bool read_only) : fd_(std::move(fd)), read_only_(read_only) {}

  IoResult<std::shared_ptr<File>> open(std::string_view path, const OpenHow& how) override {
    if (read_only_ && (how.write || how.create || how.truncate)) {
      if (how.write || how.truncate) return Errno::RoFs;
      // Creating: an existing file may still be opened for reading.
    }
    uint64_t flags = O_NONBLOCK | O_NOCTTY | static_cast<uint64_t>(open_flags_of(how.flags));
    flags |= how.write ? (how.read ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (how.create && !read_only_) flags |= O_CREAT;
    if (how.exclusive && !read_only_) flags |= O_EXCL;
    if (how.truncate) flags |= O_TRUNC;
    if (how.directory) flags |= O_DIRECTORY;
    if (!how.follow) flags |= O_NOFOLLOW;
    if (how.cached && flags & (O_CREAT | O_TRUNC)) return Errno::Again;
    auto fd = open_beneath(fd_.get(), std::string(path), flags, how.create && !read_only_ ? 0666 : 0, resolve_flags(how.cached));
    if (!fd) return read_only_error(fd.error(), how);
    if (read_only_ && how.create && how.exclusive) return Errno::Exist;
    struct stat s{};
    if (fstat(fd->get(), &s) < 0) return last_errno();
    if (S_ISDIR(s.st_mode)) return std::shared_ptr<File>(std::make_shared<HostDirectory>(std::move(*fd), read_only_));
    return std::shared_ptr<File>(std::make_shared<HostFile>(fd->release(), true, how.flags, read_only_));
  }

  [[nodiscard]] int host_fd() const override { return fd_.get(); }
  IoResult<FileStat> stat() override { return stat_fd(fd_.get()); }
  IoResult<FileStat> stat_at(std::string_view path, bool follow, bool cached) override {
    auto fd = open_beneath(fd_.get(), std::string(path), follow ? O_PATH : O_PATH | O_NOFOLLOW, 0, resolve_flags(cached));
    if (!fd) return fd.error();
    return stat_fd(fd->get());
  }

  IoResult<void> set_times(FileTimes times) override {
    if (read_only_) return Errno::RoFs;
    return done(futimens(fd_.get(), Times(times).both));
  }
  IoResult<void> set_times_at(std::string_view path, bool follow, FileTimes times) override {
    if (read_only_) return Errno::RoFs;
    auto fd = open_beneath(fd_.get(), std::string(path), follow ? O_PATH : O_PATH | O_NOFOLLOW);
    if (!fd) return fd.error();
    return done(utimensat(fd->get(), "", Times(times).both, AT_EMPTY_PATH));
  }

  IoResult<void> make_directory(std::string_view path) override {
    return in_parent(path, [](int at, const char* name) { return mkdirat(at, name, 0777); });
  }
  IoResult<void> remove_directory(std::string_view path) override {
    return in_parent(path, [](int at, const char* name) { return unlinkat(at, name, AT_REMOVEDIR); });
  }
  IoResult<void> unlink(std::string_view path) override {
    return in_parent(path, [](int at, const char* name) { return unlinkat(at, name, 0); });
  }
  IoResult<std::string> read_link(std::string_view path) override {
    auto fd = open_beneath(fd_.get(), std::string(path), O_PATH | O_NOFOLLOW);
    if (!fd) return fd.error();
    std::string text(PATH_MAX, '\0');
    const ssize_t n = readlinkat(fd->get(), "", text.data(), text.size());
    if (n < 0) return errno == ENOENT ? Errno::Inval : last_errno();  // not a link: Linux says ENOENT for ""
    text.resize(static_cast<size_t>(n));
    return text;
  }
  IoResult<void> symlink(std::string_view target, std::string_view path) override {
    if (target.starts_with('/')) return Errno::NotCapable;
    const std::string to(target);
    return in_parent(path, [&](int at, const char* name) { return symlinkat(to.c_str(), at, name); });
  }
  IoResult<void> rename(std::string_view from, Directory& to_directory, std::string_view to) override {
    auto* other = dynamic_cast<HostDirectory*>(&to_directory);
    if (!other) return Errno::XDev;
    return in_parent(from, [&](int at, const char* name) {
      return other->in_parent(to, [&](int to_at, const char* to_name) { return renameat(at, name, to_at, to_name); });
    });
  }
  IoResult<void> link(std::string_view from, bool follow, Directory& to_directory, std::string_view to) override {
    auto* other = dynamic_cast<HostDirectory*>(&to_directory);
    if (!other) return Errno::XDev;
    if (read_only_) return Errno::RoFs;  // a writable name of a read-only file
    if (!follow)
      return in_parent(from, [&](int at, const char* name) {
        return other->in_parent(to, [&](int to_at, const char* to_name) { return linkat(at, name, to_at, to_name, 0); });
      });
    auto fd = open_beneath(fd_.get(), std::string(from), O_PATH);
    if (!fd) return fd.error();
    const std::string proc = "/proc/self/fd/" + std::to_string(fd->get());
    return other->in_parent(to, [&](int to_at, const char* to_name) {
      return linkat(AT_FDCWD, proc.c_str(), to_at, to_name, AT_SYMLINK_FOLLOW);
    });
  }
  IoResult<std::vector<DirEntry>> list() override;
  IoResult<void> sync(bool data_only) override { return done(data_only ? fdatasync(fd_.get()) : fsync(fd_.get())); }

 private:
  /// A kernel without it (before 5.12) gives EINVAL.
  static uint64_t resolve_flags(bool cached) { return cached ? RESOLVE_CACHED : 0; }
  /// With O_CREAT left out, ENOENT means that it would have been created.
  [[nodiscard]] Errno read_only_error(Errno error, const OpenHow& how) const {
    return read_only_ && how.create && error == Errno::NoEnt ? Errno::RoFs : error;
  }

  /// Calls f(descriptor of the parent, last component with its trailing slashes).
  template <typename F>
  IoResult<void> in_parent(std::string_view path, F f) {
    if (read_only_) return Errno::RoFs;
    if (path.empty()) return Errno::NoEnt;
    if (path.starts_with('/')) return Errno::NotCapable;
    const size_t end = path.find_last_not_of('/');
    const size_t slash = path.find_last_of('/', end);
    const bool bare = slash == std::string_view::npos;
    const std::string name(bare ? path : path.substr(slash + 1));
    Descriptor parent;
    if (!bare) {
      auto opened = open_beneath(fd_.get(), std::string(path.substr(0, slash)), O_PATH | O_DIRECTORY);
      if (!opened) return opened.error();
      parent = std::move(*opened);
    }
    if (name.starts_with("..") && name.find_first_not_of('/', 2) == std::string::npos) return Errno::NotCapable;
    return result_of(f(bare ? fd_.get() : parent.get(), name.c_str()));
  }
  static IoResult<void> result_of(int result) { return done(result); }
  static IoResult<void> result_of(IoResult<void> result) { return result; }

  Descriptor fd_;
  bool read_only_;
};

FileType type_of_entry(int directory, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG:
      return FileType::RegularFile;
    case DT_DIR:
      return FileType::Directory;
    case DT_LNK:
      return FileType::SymbolicLink;
    case DT_CHR:
      return FileType::CharacterDevice;
    case DT_BLK:
      return FileType::BlockDevice;
    case DT_SOCK:
      return FileType::SocketStream;
    case DT_UNKNOWN: {  // some file systems do not say
      struct stat s{};
      if (fstatat(directory, entry.d_name, &s, AT_SYMLINK_NOFOLLOW) == 0) return type_of(s.st_mode);
      return FileType::Unknown;
    }
    default:
      return FileType::Unknown;
  }
}

IoResult<std::vector<DirEntry>> HostDirectory::list() {
  const int fd = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);  // with a position of its own
  if (fd < 0) return last_errno();
  DIR* stream = fdopendir(fd);
  if (!stream) {
    ::close(fd);
    return last_errno();
  }
  struct stat self{};
  fstat(fd, &self);
  // ".." may lie outside: its inode is nobody's business.
  std::vector<DirEntry> entries{{".", self.st_ino, FileType::Directory}, {"..", self.st_ino, FileType::Directory}};
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    entries.push_back({entry->d_name, entry->d_ino ? entry->d_ino : 1, type_of_entry(fd, *entry)});
    errno = 0;
  }
  const int error = errno;
  closedir(stream);
  if (error != 0) return errno_from_host(error);
  return entries;
}

}  // namespace

Result<std::shared_ptr<Directory>> open_host_directory(const std::string& path, bool read_only) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return Error{"cannot open the folder " + path + ": " + std::strerror(errno)};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  Descriptor probe(static_cast<int>(syscall(SYS_openat2, fd.get(), ".", &how, sizeof how)));
  if (probe.get() < 0 && (errno == ENOSYS || errno == EPERM))
    return Error{"folders cannot be shown to the guest: this system has no openat2 (Linux 5.6), which keeps paths inside"};
  return std::shared_ptr<Directory>(std::make_shared<HostDirectory>(std::move(fd), read_only));
}

std::shared_ptr<File> host_file(int fd, bool owned) {
  const int status = fcntl(fd, F_GETFL);
  return std::make_shared<HostFile>(fd, owned, status >= 0 && status & O_APPEND ? fd_flag::Append : uint16_t{0});
}

}  // namespace krait::pyhost
