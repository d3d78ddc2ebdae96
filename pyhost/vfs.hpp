// The guest's files behind one interface: open files and directories, of this machine or in memory, and the union of both.
//
// A Directory is a capability: a path given to it is resolved beneath it, and never leads out: not by "..", an
// absolute path, a symbolic link or a race. Paths are relative, of any number of components; what leads out is NotCapable.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "pyhost/wasi_types.hpp"

namespace krait::pyhost {

struct FileStat {
  uint64_t dev = 0, ino = 0;
  FileType type = FileType::Unknown;
  uint64_t nlink = 1, size = 0;
  uint64_t atim = 0, mtim = 0, ctim = 0;  ///< nanoseconds since 1970
};

struct DirEntry {
  std::string name;
  uint64_t ino = 0;  ///< never 0
  FileType type = FileType::Unknown;
};

/// New timestamps; an empty one stays as it is.
struct FileTimes {
  std::optional<uint64_t> atim, mtim;
};

struct OpenHow {
  bool read = true, write = false;
  bool create = false, exclusive = false, truncate = false, directory = false;
  bool follow = true;      ///< follow a symbolic link in the last component; else it is an error (Loop)
  uint16_t flags = 0;      ///< FdFlags
};

class Directory;
class Socket;

/// An open file or stream with its own position. One thread at a time. What a kind of file cannot do gives the errno
/// that POSIX gives.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual FileType type() const = 0;
  virtual IoResult<uint64_t> read(std::span<const iovec> to);
  virtual IoResult<uint64_t> write(std::span<const iovec> from);
  virtual IoResult<uint64_t> pread(std::span<const iovec> to, uint64_t offset);
  virtual IoResult<uint64_t> pwrite(std::span<const iovec> from, uint64_t offset);
  virtual IoResult<uint64_t> seek(int64_t offset, Whence whence);
  virtual IoResult<FileStat> stat() = 0;
  virtual IoResult<void> set_size(uint64_t size);
  virtual IoResult<void> allocate(uint64_t offset, uint64_t length);
  virtual IoResult<void> set_times(FileTimes times);
  virtual IoResult<void> advise(uint64_t offset, uint64_t length, Advice advice);
  virtual IoResult<void> sync(bool data_only);
  [[nodiscard]] virtual uint16_t flags() { return 0; }
  virtual IoResult<void> set_flags(uint16_t flags);
  /// Positioned reads and writes are possible (regular files).
  [[nodiscard]] virtual bool seekable() const { return false; }
  /// A descriptor for poll(2), or -1 where it never blocks.
  [[nodiscard]] virtual int poll_fd() const { return -1; }
  /// The descriptor of this machine behind it, whose reads, writes and syncs may take their time; -1 where there is none.
  [[nodiscard]] virtual int host_fd() const { return -1; }
  /// Its calls may wait for a disk: on a coroutine they park (host_calls.hpp).
  [[nodiscard]] virtual bool may_wait() const { return false; }
  /// Bytes that a read would give at once, where that is known; for poll_oneoff.
  [[nodiscard]] virtual uint64_t available() { return 0; }
  /// Of one without poll_fd(): what of POLLIN and POLLOUT would not wait, with POLLHUP where the other end is gone. What is not ready
  /// only the guest's own calls can make so.
  [[nodiscard]] virtual short ready(short events) { return events; }
  [[nodiscard]] virtual Directory* as_directory() { return nullptr; }
  [[nodiscard]] virtual Socket* as_socket() { return nullptr; }
};

class Directory : public File {
 public:
  [[nodiscard]] FileType type() const final { return FileType::Directory; }
  Directory* as_directory() final { return this; }
  IoResult<uint64_t> read(std::span<const iovec>) override { return Errno::IsDir; }
  IoResult<uint64_t> pread(std::span<const iovec>, uint64_t) override { return Errno::IsDir; }

  virtual IoResult<std::shared_ptr<File>> open(std::string_view path, const OpenHow& how) = 0;
  virtual IoResult<FileStat> stat_at(std::string_view path, bool follow) = 0;
  virtual IoResult<void> set_times_at(std::string_view path, bool follow, FileTimes times) = 0;
  virtual IoResult<void> make_directory(std::string_view path) = 0;
  virtual IoResult<void> remove_directory(std::string_view path) = 0;
  virtual IoResult<void> unlink(std::string_view path) = 0;
  virtual IoResult<std::string> read_link(std::string_view path) = 0;
  /// `target` may not be absolute.
  virtual IoResult<void> symlink(std::string_view target, std::string_view path) = 0;
  /// Between two file systems: XDev.
  virtual IoResult<void> rename(std::string_view from, Directory& to_directory, std::string_view to) = 0;
  virtual IoResult<void> link(std::string_view from, bool follow, Directory& to_directory, std::string_view to) = 0;
  /// All entries now, "." and ".." first.
  virtual IoResult<std::vector<DirEntry>> list() = 0;
  /// For a directory that stands for others at some paths: which one `path` belongs to, and the path there.
  struct Place {
    Directory* directory;
    std::string path;
  };
  virtual IoResult<Place> locate(std::string_view path) { return Place{this, std::string(path)}; }
};

/// A directory of this machine. Needs openat2 (Linux 5.6): without it the error says so.
Result<std::shared_ptr<Directory>> open_host_directory(const std::string& path, bool read_only);
/// An open descriptor as a file; closed with it if `owned`.
std::shared_ptr<File> host_file(int fd, bool owned);

/// Bytes in memory that several files share and none changes.
using SharedBytes = std::shared_ptr<const std::vector<std::byte>>;

/// Files in memory. Private to whoever holds it; freed with the last open file and directory.
class MemoryTree {
 public:
  /// `byte_limit` bounds the contents, with 256 bytes for each node and for each name: beyond it NoSpc.
  explicit MemoryTree(uint64_t byte_limit);
  ~MemoryTree();
  [[nodiscard]] std::shared_ptr<Directory> root() const;
  /// mkdir -p.
  IoResult<void> make_path(std::string_view path);
  /// A read-only file that shows `bytes`, which `keep` keeps alive; makes its folders.
  IoResult<void> add_shared_file(std::string_view path, std::span<const std::byte> bytes, std::shared_ptr<const void> keep);
  [[nodiscard]] uint64_t bytes_used() const;
  /// Counts what has been changed in the tree: while it stays, so does all that stat, list and read show.
  [[nodiscard]] uint64_t changes() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

struct MountPoint {
  std::string path;  ///< relative to the root, no leading slash: "tmp", "home/me/project"
  std::shared_ptr<Directory> directory;
};
/// `root` with other directories shown at paths of it. Links are resolved within one of them only; ".." crosses from one
/// to the other. The mount points need not exist in `root`.
std::shared_ptr<Directory> union_directory(std::shared_ptr<Directory> root, std::vector<MountPoint> mounts);

/// Streams ------------------------------------------------------------------------------------------

/// Reads `bytes`, then the end.
std::shared_ptr<File> bytes_source(std::vector<std::byte> bytes);
/// Keeps what is written, up to a cap; the rest is counted and thrown away.
class BufferSink : public File {
 public:
  explicit BufferSink(uint64_t cap) : cap_(cap) {}
  [[nodiscard]] FileType type() const override { return FileType::Unknown; }
  IoResult<FileStat> stat() override { return FileStat{}; }
  IoResult<uint64_t> write(std::span<const iovec> from) override;
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }
  std::string take();

 private:
  uint64_t cap_, dropped_ = 0;
  std::string text_;
};
/// Gives each piece that is written to `f`.
std::shared_ptr<File> callback_sink(std::function<void(std::span<const std::byte>)> f);
/// Always at its end; swallows what is written.
std::shared_ptr<File> null_stream();

}  // namespace krait::pyhost
