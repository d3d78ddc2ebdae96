// Files that a user's functions share, as a folder of the guest's tree: state of another kind, whose keys are paths.
//
// A file is read and written in the local tier, so the calls of this process see one another's writes at once; fsync, close and the
// end of the call push what was written, and an open takes up what others have pushed. A folder is there while a key begins with it, or
// while the empty value of "its/path/" stands for it.
#include <algorithm>

#include "pyhost/state/imports.hpp"

namespace krait::pyhost {

using store::StateKind;

namespace {

/// What a path means: the user's state and a key.
struct Spot {
  std::shared_ptr<StateSession> session;
  Waiter* waiter = nullptr;
  std::string path;  // "" is the root

  [[nodiscard]] LocalState& state() const { return session->state(); }
  [[nodiscard]] LocalState::Key key() const { return {session->user(), path, StateKind::File}; }
  [[nodiscard]] LocalState::Key folder_key() const { return {session->user(), path + "/", StateKind::File}; }
  [[nodiscard]] IoResult<bool> is_file() const {
    if (path.empty()) return false;
    const auto size = state().size(key(), waiter);
    if (!size && size.error() != Errno::NoEnt) return size.error() == Errno::Inval ? Errno::NameTooLong : size.error();
    return size.ok();
  }
  [[nodiscard]] IoResult<bool> is_folder() const {
    if (path.empty()) return true;
    const auto inside = state().list(session->user(), StateKind::File, path + "/", waiter);
    if (!inside) return inside.error();
    return !inside->empty();
  }
};

class SharedFile final : public File {
 public:
  SharedFile(Spot spot, const OpenHow& how) : spot_(std::move(spot)), how_(how), flags_(how.flags) {}
  ~SharedFile() override {
    if (written_) (void)spot_.state().push(spot_.key(), ValueBytes::Push::Dirty, spot_.waiter);
  }
  [[nodiscard]] FileType type() const override { return FileType::RegularFile; }
  [[nodiscard]] bool seekable() const override { return true; }
  [[nodiscard]] uint16_t flags() override { return flags_; }
  IoResult<void> set_flags(uint16_t flags) override {
    flags_ = flags;
    return {};
  }

  IoResult<uint64_t> read(std::span<const iovec> to) override {
    auto count = pread(to, at_);
    if (count) at_ += *count;
    return count;
  }
  IoResult<uint64_t> pread(std::span<const iovec> to, uint64_t offset) override {
    if (!how_.read) return Errno::BadF;
    uint64_t count = 0;
    for (const iovec& piece : to) {
      const auto got = spot_.state().read_some(spot_.key(), offset + count, {static_cast<std::byte*>(piece.iov_base), piece.iov_len}, spot_.waiter);
      if (!got) return got.error();
      count += *got;
      if (*got < piece.iov_len) break;
    }
    return count;
  }
  IoResult<uint64_t> write(std::span<const iovec> from) override {
    if ((flags_ & fd_flag::Append) != 0) return append(from);
    auto count = pwrite(from, at_);
    if (count) at_ += *count;
    return count;
  }
  IoResult<uint64_t> pwrite(std::span<const iovec> from, uint64_t offset) override {
    if (!how_.write) return Errno::BadF;
    uint64_t count = 0;
    for (const iovec& piece : from) {
      if (piece.iov_len == 0) continue;
      const uint64_t at = offset + count;
      if (at > MaxFileBytes - piece.iov_len) return Errno::FBig;
      const auto done = spot_.state().write_range(spot_.key(), at + piece.iov_len, at, {static_cast<std::byte*>(piece.iov_base), piece.iov_len},
                                                   spot_.waiter);
      if (!done) return count != 0 ? IoResult<uint64_t>(count) : done.error();
      written_ = true;
      count += piece.iov_len;
    }
    return count;
  }
  IoResult<uint64_t> seek(int64_t offset, Whence whence) override {
    uint64_t base = whence == Whence::Current ? at_ : 0;
    if (whence == Whence::End) {
      const auto size = spot_.state().size(spot_.key(), spot_.waiter);
      if (!size) return size.error();
      base = *size;
    }
    if (offset < 0 ? uint64_t{0} - static_cast<uint64_t>(offset) > base : static_cast<uint64_t>(offset) > MaxFileBytes - std::min(base, MaxFileBytes))
      return Errno::Inval;
    return at_ = base + static_cast<uint64_t>(offset);
  }
  IoResult<FileStat> stat() override {
    const auto size = spot_.state().size(spot_.key(), spot_.waiter);
    if (!size) return size.error();
    FileStat stat;
    stat.type = FileType::RegularFile;
    stat.ino = std::hash<std::string>()(spot_.path) | 1;
    stat.size = *size;
    return stat;
  }
  IoResult<void> set_size(uint64_t size) override {
    if (!how_.write) return Errno::BadF;
    if (size > MaxFileBytes) return Errno::FBig;
    written_ = true;
    return spot_.state().resize(spot_.key(), size, spot_.waiter);
  }
  IoResult<void> set_times(FileTimes) override { return {}; }
  IoResult<void> advise(uint64_t, uint64_t, Advice) override { return {}; }
  IoResult<void> sync(bool) override {
    auto pushed = spot_.state().push(spot_.key(), ValueBytes::Push::Dirty, spot_.waiter);
    if (pushed) written_ = false;
    return pushed;
  }

 private:
  /// In one step: what other calls append meanwhile comes before or behind. Of several pieces the first MaxJoined bytes, since a guest
  /// may name the same bytes in each.
  IoResult<uint64_t> append(std::span<const iovec> from) {
    if (!how_.write) return Errno::BadF;
    if (from.size() == 1) return extend({static_cast<const std::byte*>(from[0].iov_base), from[0].iov_len});
    store::Bytes joined;
    for (const iovec& piece : from) {
      const auto* bytes = static_cast<const std::byte*>(piece.iov_base);
      joined.insert(joined.end(), bytes, bytes + std::min(piece.iov_len, MaxJoined - joined.size()));
    }
    return extend(joined);
  }
  IoResult<uint64_t> extend(std::span<const std::byte> bytes) {
    if (bytes.empty()) return uint64_t{0};
    const auto end = spot_.state().extend(spot_.key(), bytes, spot_.waiter);
    if (!end) return end.error();
    written_ = true;
    at_ = *end;
    return bytes.size();
  }

  static constexpr size_t MaxJoined = size_t{16} << 20;

  static constexpr uint64_t MaxFileBytes = uint64_t{1} << 40;
  const Spot spot_;
  const OpenHow how_;
  uint16_t flags_;
  uint64_t at_ = 0;
  bool written_ = false;
};

class SharedFolder final : public Directory {
 public:
  SharedFolder(Sandbox& sandbox, std::string path) : sandbox_(sandbox), path_(std::move(path)) {}

  IoResult<std::shared_ptr<File>> open(std::string_view path, const OpenHow& how) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    const auto folder = spot->is_folder();
    if (!folder) return folder.error();
    if (*folder) {
      if (how.write || how.create) return how.exclusive ? Errno::Exist : Errno::IsDir;
      return std::shared_ptr<File>(std::make_shared<SharedFolder>(sandbox_, spot->path));
    }
    if (auto fresh = spot->state().refresh(spot->key(), spot->waiter); !fresh && fresh.error() != Errno::NoEnt) return fresh.error();
    const auto file = spot->is_file();
    if (!file) return file.error();
    if (how.directory) return *file ? Errno::NotDir : Errno::NoEnt;
    if (*file && how.create && how.exclusive) return Errno::Exist;
    if (!*file && !how.create) return Errno::NoEnt;
    if (auto may = is_free_above(*spot); !may) return may.error();
    if (!*file || (how.truncate && how.write)) {
      if (auto made = spot->state().write(spot->key(), {}, spot->waiter); !made) return made.error();
      if (auto pushed = spot->state().push(spot->key(), ValueBytes::Push::Dirty, spot->waiter); !pushed) return pushed.error();
    }
    return std::shared_ptr<File>(std::make_shared<SharedFile>(std::move(*spot), how));
  }
  IoResult<FileStat> stat() override { return stat_at(".", true); }
  IoResult<FileStat> stat_at(std::string_view path, bool) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    const auto folder = spot->is_folder();
    if (!folder) return folder.error();
    FileStat stat;
    if (*folder) {
      stat.type = FileType::Directory;
      stat.ino = std::hash<std::string>()(spot->path) | 1;
      return stat;
    }
    const auto file = spot->is_file();
    if (!file) return file.error();
    if (!*file) return Errno::NoEnt;
    return SharedFile(std::move(*spot), OpenHow()).stat();
  }
  IoResult<void> set_times(FileTimes) override { return {}; }
  IoResult<void> set_times_at(std::string_view path, bool follow, FileTimes) override {
    const auto there = stat_at(path, follow);
    return there ? IoResult<void>() : there.error();
  }
  IoResult<void> make_directory(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    const auto there = stat_at(path, true);
    if (there) return Errno::Exist;
    if (there.error() != Errno::NoEnt) return there.error();
    if (auto may = is_free_above(*spot); !may) return may;
    auto made = spot->state().write(spot->folder_key(), {}, spot->waiter);
    if (made) made = spot->state().push(spot->folder_key(), ValueBytes::Push::Dirty, spot->waiter);
    return made;
  }
  IoResult<void> remove_directory(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    const auto file = spot->is_file();
    if (!file || *file) return file ? Errno::NotDir : file.error();
    const auto inside = spot->state().list(spot->session->user(), StateKind::File, spot->path + "/", spot->waiter);
    if (!inside) return inside.error();
    if (inside->empty()) return Errno::NoEnt;
    if (spot->path.empty() || inside->size() > 1 || inside->front().key != spot->path + "/") return Errno::NotEmpty;
    return spot->state().remove(spot->folder_key(), spot->waiter);
  }
  IoResult<void> unlink(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    const auto file = spot->is_file();
    if (!file) return file.error();
    if (*file) return spot->state().remove(spot->key(), spot->waiter);
    const auto folder = spot->is_folder();
    return folder && *folder ? Errno::IsDir : Errno::NoEnt;
  }
  IoResult<std::string> read_link(std::string_view path) override {
    const auto there = stat_at(path, false);
    return there ? Errno::Inval : there.error();
  }
  IoResult<void> symlink(std::string_view, std::string_view) override { return Errno::NotSup; }
  IoResult<void> link(std::string_view, bool, Directory&, std::string_view) override { return Errno::NotSup; }
  /// A copy, pushed, and then the end of the old one: a crash between them leaves both.
  IoResult<void> rename(std::string_view from, Directory& to_directory, std::string_view to) override {
    auto* other = dynamic_cast<SharedFolder*>(&to_directory);
    if (!other) return Errno::XDev;
    auto source = find(from), target = other->find(to);
    if (!source || !target) return source ? target.error() : source.error();
    const auto file = source->is_file(), folder = target->is_folder();
    if (!file || !folder) return file ? folder.error() : file.error();
    if (!*file) return source->is_folder().ok() && *source->is_folder() ? Errno::NotSup : Errno::NoEnt;
    if (*folder) return Errno::IsDir;
    if (source->path == target->path) return {};
    if (auto may = is_free_above(*target); !may) return may;
    const auto bytes = source->state().read_all(source->key(), source->waiter);
    if (!bytes) return bytes.error();
    auto done = target->state().write(target->key(), *bytes, target->waiter);
    if (done) done = target->state().push(target->key(), ValueBytes::Push::Whole, target->waiter);
    if (done) done = source->state().remove(source->key(), source->waiter);
    return done;
  }
  IoResult<std::vector<DirEntry>> list() override {
    auto spot = find(".");
    if (!spot) return spot.error();
    const std::string prefix = path_.empty() ? path_ : path_ + "/";
    const auto inside = spot->state().list(spot->session->user(), StateKind::File, prefix, spot->waiter);
    if (!inside) return inside.error();
    std::vector<DirEntry> entries{{".", 1, FileType::Directory}, {"..", 1, FileType::Directory}};
    for (const store::StateEntry& entry : *inside) {
      const std::string_view rest = std::string_view(entry.key).substr(prefix.size());
      const size_t slash = rest.find('/');
      const std::string name(rest.substr(0, slash));
      if (name.empty() || entries.back().name == name) continue;
      entries.push_back({name, std::hash<std::string>()(prefix + name) | 1,
                         slash == std::string_view::npos ? FileType::RegularFile : FileType::Directory});
    }
    return entries;
  }

 private:
  /// No file stands where the path needs a folder.
  static IoResult<void> is_free_above(const Spot& spot) {
    for (size_t slash = spot.path.find('/'); slash != std::string::npos; slash = spot.path.find('/', slash + 1)) {
      const auto file = Spot{spot.session, spot.waiter, spot.path.substr(0, slash)}.is_file();
      if (!file) return file.error();
      if (*file) return Errno::NotDir;
    }
    return {};
  }

  IoResult<Spot> find(std::string_view path) const {
    std::string whole = path_;
    while (!path.empty()) {
      const std::string_view part = path.substr(0, path.find('/'));
      path.remove_prefix(std::min(path.size(), part.size() + 1));
      if (part.empty() || part == ".") continue;
      if (part == "..") {
        if (whole.empty()) return Errno::NotCapable;
        whole.erase(whole.rfind('/') == std::string::npos ? 0 : whole.rfind('/'));
      } else {
        if (!whole.empty()) whole += '/';
        whole += part;
      }
    }
    if (whole.size() + 1 > store::MaxStateKeyBytes) return Errno::NameTooLong;
    state_of(sandbox_);
    return Spot{sandbox_.state, sandbox_.wasi ? &sandbox_.wasi->waiter() : nullptr, std::move(whole)};
  }

  Sandbox& sandbox_;
  const std::string path_;
};

}  // namespace

std::shared_ptr<Directory> shared_files(Sandbox& sandbox) { return std::make_shared<SharedFolder>(sandbox, ""); }

}  // namespace krait::pyhost
