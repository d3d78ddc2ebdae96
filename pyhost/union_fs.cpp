// One tree out of several. A path is followed by its text until it meets a mount point; from there on the mounted
// directory resolves the rest, ".." and links included. A ".." that would leave the mounted directory goes on in the one above
// it. Mount points cannot be renamed or removed.
#include <algorithm>

#include "pyhost/vfs.hpp"

namespace krait::pyhost {
namespace {

using Parts = std::vector<std::string>;

Parts split(std::string_view path) {
  Parts parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (slash != 0) parts.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return parts;
}

std::string join(std::span<const std::string> parts) {
  std::string path;
  for (const std::string& part : parts) path += path.empty() ? part : "/" + part;
  return path.empty() ? "." : path;
}

bool begins_with(const Parts& path, const Parts& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

struct Mount {
  Parts at;
  std::shared_ptr<Directory> directory;
};

struct Mounts {
  std::vector<Mount> all;              // the first is the root
  std::shared_ptr<Directory> shadow;   // an in-memory tree of just the mount points
  /// The innermost mount that holds `path`.
  [[nodiscard]] const Mount& of(const Parts& path) const {
    const Mount* best = &all.front();
    for (const Mount& mount : all)
      if (mount.at.size() >= best->at.size() && begins_with(path, mount.at)) best = &mount;
    return *best;
  }
  /// A mount point, or above one.
  [[nodiscard]] bool leads_to_mount(const Parts& path) const {
    return std::any_of(all.begin(), all.end(), [&](const Mount& m) { return begins_with(m.at, path); });
  }
  /// Strictly above one.
  [[nodiscard]] bool is_above_mount(const Parts& path) const {
    return std::any_of(all.begin(), all.end(),
                       [&](const Mount& m) { return m.at.size() > path.size() && begins_with(m.at, path); });
  }
};

class UnionDirectory final : public Directory {
 public:
  UnionDirectory(std::shared_ptr<const Mounts> mounts, Parts at, std::shared_ptr<Directory> own)
      : mounts_(std::move(mounts)), at_(std::move(at)), own_(std::move(own)) {}

  IoResult<std::shared_ptr<File>> open(std::string_view path, const OpenHow& how) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    auto file = spot->directory->open(spot->rest, how);
    const bool above = mounts_->is_above_mount(spot->path);
    if (!file && file.error() == Errno::NoEnt && above)
      file = mounts_->shadow->open(join(spot->path), OpenHow{.directory = how.directory});
    if (!file || !above || !(*file)->as_directory()) return file;
    auto own = std::static_pointer_cast<Directory>(*file);
    return std::shared_ptr<File>(std::make_shared<UnionDirectory>(mounts_, spot->path, std::move(own)));
  }

  [[nodiscard]] int host_fd() const override { return own_->host_fd(); }
  IoResult<FileStat> stat() override { return own_->stat(); }
  IoResult<FileStat> stat_at(std::string_view path, bool follow, bool cached) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    auto stat = spot->directory->stat_at(spot->rest, follow, cached);
    if (!stat && stat.error() == Errno::NoEnt && mounts_->is_above_mount(spot->path))
      return mounts_->shadow->stat_at(join(spot->path), follow);
    return stat;
  }
  IoResult<void> set_times(FileTimes times) override { return own_->set_times(times); }
  IoResult<void> set_times_at(std::string_view path, bool follow, FileTimes times) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    return spot->directory->set_times_at(spot->rest, follow, times);
  }
  IoResult<void> make_directory(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    if (mounts_->leads_to_mount(spot->path)) return Errno::Exist;
    return spot->directory->make_directory(spot->rest);
  }
  IoResult<void> remove_directory(std::string_view path) override {
    auto spot = find_removable(path);
    if (!spot) return spot.error();
    return spot->directory->remove_directory(spot->rest);
  }
  IoResult<void> unlink(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    if (mounts_->leads_to_mount(spot->path)) return Errno::IsDir;
    return spot->directory->unlink(spot->rest);
  }
  IoResult<std::string> read_link(std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    return spot->directory->read_link(spot->rest);
  }
  IoResult<void> symlink(std::string_view target, std::string_view path) override {
    auto spot = find(path);
    if (!spot) return spot.error();
    if (mounts_->leads_to_mount(spot->path)) return Errno::Exist;
    return spot->directory->symlink(target, spot->rest);
  }
  IoResult<void> rename(std::string_view from, Directory& to_directory, std::string_view to) override {
    auto spot = find_removable(from);
    if (!spot) return spot.error();
    auto place = to_directory.locate(to);
    if (!place) return place.error();
    return spot->directory->rename(spot->rest, *place->directory, place->path);
  }
  IoResult<void> link(std::string_view from, bool follow, Directory& to_directory, std::string_view to) override {
    auto spot = find(from);
    if (!spot) return spot.error();
    auto place = to_directory.locate(to);
    if (!place) return place.error();
    return spot->directory->link(spot->rest, follow, *place->directory, place->path);
  }
  IoResult<Place> locate(std::string_view path) override {
    auto spot = find_removable(path);
    if (!spot) return spot.error();
    return Place{spot->directory, std::move(spot->rest)};
  }

  IoResult<std::vector<DirEntry>> list() override {
    auto entries = own_->list();
    if (!entries) return entries;
    for (const Mount& mount : mounts_->all) {
      if (mount.at.size() <= at_.size() || !begins_with(mount.at, at_)) continue;
      const std::string& name = mount.at[at_.size()];
      if (name.ends_with(':')) continue;  // a scheme ("faasm:"): to be named, not to be found by those who walk a tree
      const bool itself = mount.at.size() == at_.size() + 1;
      auto stat = itself ? mount.directory->stat() : mounts_->shadow->stat_at(join(Parts(mount.at.begin(), mount.at.begin() + static_cast<long>(at_.size()) + 1)), false);
      auto known = std::find_if(entries->begin(), entries->end(), [&](const DirEntry& e) { return e.name == name; });
      const DirEntry entry{name, stat ? stat->ino : 1, FileType::Directory};
      if (known == entries->end()) entries->push_back(entry);
      else if (itself) *known = entry;
    }
    return entries;
  }
  IoResult<void> sync(bool data_only) override { return own_->sync(data_only); }

 private:
  struct Spot {
    Directory* directory;
    std::string rest;  // for `directory`
    Parts path;        // from the root of the union
  };

  IoResult<Spot> find(std::string_view path) const {
    if (path.empty()) return Errno::NoEnt;
    if (path.starts_with('/')) return Errno::NotCapable;
    Parts done = at_;
    // What the current mount is to resolve; text, because a ".." in it may follow a link.
    const Mount* mount = &mounts_->of(done);
    Parts rest(done.begin() + static_cast<long>(mount->at.size()), done.end());
    bool dot = false;  // the last component: no name, so nothing can be removed by it
    for (std::string& part : split(path)) {
      dot = part == ".";
      if (dot) continue;
      if (part == "..") {
        if (done.size() == at_.size()) return Errno::NotCapable;
        done.pop_back();
      } else {
        done.push_back(part);
      }
      const Mount* now = &mounts_->of(done);
      if (now != mount) {
        mount = now;
        rest.assign(done.begin() + static_cast<long>(mount->at.size()), done.end());
      } else {
        rest.push_back(std::move(part));
      }
    }
    // The directory that this one stands for may have been renamed since: below it nothing is looked up by its name.
    const bool own = mount == &mounts_->of(at_) && begins_with(done, at_);
    if (own) rest.erase(rest.begin(), rest.begin() + static_cast<long>(at_.size() - mount->at.size()));
    std::string text = join(rest);
    if (dot && !rest.empty()) text += "/.";
    if (path.ends_with('/')) text += '/';
    return Spot{own ? own_.get() : mount->directory.get(), std::move(text), std::move(done)};
  }
  IoResult<Spot> find_removable(std::string_view path) const {
    auto spot = find(path);
    if (spot && mounts_->leads_to_mount(spot->path)) return Errno::Busy;
    return spot;
  }

  std::shared_ptr<const Mounts> mounts_;
  Parts at_;
  std::shared_ptr<Directory> own_;
};

}  // namespace

std::shared_ptr<Directory> union_directory(std::shared_ptr<Directory> root, std::vector<MountPoint> mounts) {
  auto table = std::make_shared<Mounts>();
  table->all.push_back({{}, root});
  MemoryTree shadow(uint64_t{1} << 20);
  for (MountPoint& mount : mounts) {
    Parts at = split(mount.path);
    (void)shadow.make_path(join(at));
    if (at.empty()) table->all.front().directory = std::move(mount.directory);
    else table->all.push_back({std::move(at), std::move(mount.directory)});
  }
  table->shadow = shadow.root();
  auto own = table->all.front().directory;
  return std::make_shared<UnionDirectory>(std::move(table), Parts{}, std::move(own));
}

}  // namespace krait::pyhost
