// Files in memory: a tree of nodes. Invariants.
//  1. A directory has one name; so the stack of a walk is the physical path, and ".." pops it. Below the directory that
//     the walk began at there is nothing to pop: NotCapable.
//  2. Every byte of contents and of link targets, NodeCost for a node and EntryCost for a name is charged to the tree's quota
//     while it lives: there is nothing that a guest can have without end.
//  3. A removed directory has no entries and takes no new ones.
//  4. Whatever changes in the tree, times included, is stamped with its time: so the stamps count the changes.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "pyhost/vfs.hpp"

namespace krait::pyhost {

namespace {
constexpr uint64_t NodeCost = 256;
constexpr uint64_t EntryCost = 256;
constexpr uint64_t MemoryDevice = 1;
constexpr int MaxLinks = 40;
constexpr size_t MaxName = 255;

/// What all nodes of a tree share.
struct Quota {
  uint64_t limit, used = 0, next_ino = 1, changes = 0;
  bool take(uint64_t bytes) {
    if (used > limit || bytes > limit - used) return false;
    used += bytes;
    return true;
  }
  /// The time, for a change that is made now.
  uint64_t stamp() {
    ++changes;
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
  }
};

struct Node;
using NodePtr = std::shared_ptr<Node>;

struct Node {
  Node(std::shared_ptr<Quota> q, FileType t) : quota(std::move(q)), type(t), ino(quota->next_ino++) {
    atim = mtim = ctim = quota->stamp();
  }
  ~Node() {
    quota->used -= NodeCost + data.size() + target.size();
    // A guest may nest directories a million deep: they are freed in a loop, not by recursion.
    std::vector<NodePtr> pending;
    drop_entries(pending);
    while (!pending.empty()) {
      const NodePtr node = std::move(pending.back());
      pending.pop_back();
      if (node.use_count() == 1) node->drop_entries(pending);
    }
  }
  void drop_entries(std::vector<NodePtr>& into) {
    quota->used -= entries.size() * EntryCost;
    for (auto& [name, node] : entries) into.push_back(std::move(node));
    entries.clear();
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] std::span<const std::byte> contents() const { return read_only ? shared : std::span<const std::byte>(data); }
  [[nodiscard]] FileStat stat() const {
    FileStat s;
    s.dev = MemoryDevice;
    s.ino = ino;
    s.type = type;
    s.nlink = nlink;
    s.size = type == FileType::SymbolicLink ? target.size() : contents().size();
    s.atim = atim, s.mtim = mtim, s.ctim = ctim;
    return s;
  }
  void set_times(const FileTimes& times) {
    if (times.atim) atim = *times.atim;
    if (times.mtim) mtim = *times.mtim;
    ctim = quota->stamp();
  }
  void changed() { mtim = ctim = quota->stamp(); }
  IoResult<void> resize(uint64_t size) {
    if (size > data.size() && !quota->take(size - data.size())) return Errno::NoSpc;
    if (size < data.size()) quota->used -= data.size() - size;
    data.resize(size);
    return {};
  }

  std::shared_ptr<Quota> quota;
  FileType type;
  uint64_t ino, nlink = 1;
  uint64_t atim, mtim, ctim;
  bool removed = false;                            // a directory without a name
  std::map<std::string, NodePtr, std::less<>> entries;  // of a directory
  std::string target;                              // of a link
  std::vector<std::byte> data;                     // of a file; one that is read_only has `shared` instead
  bool read_only = false;
  std::span<const std::byte> shared;
  std::shared_ptr<const void> keep;
};

NodePtr new_node(const std::shared_ptr<Quota>& quota, FileType type) {
  return quota->take(NodeCost) ? std::make_shared<Node>(quota, type) : nullptr;
}

/// Where a path leads: the directory of its last component, that component, and the node there if there is one.
struct Found {
  std::vector<NodePtr> stack;  // from the start to the directory
  std::string name;            // "." where the path is the start itself
  NodePtr node;
  bool slash = false;          // the path ended in a slash

  [[nodiscard]] Node& parent() const { return *stack.back(); }
};

class Walk {
 public:
  Walk(NodePtr start, bool follow) : follow_(follow) { found_.stack.push_back(std::move(start)); }

  IoResult<Found> run(std::string_view path) {
    if (path.empty()) return Errno::NoEnt;
    Errno error = push(path);
    while (error == Errno::Success && !todo_.empty()) error = step();
    if (error != Errno::Success) return error;
    return std::move(found_);
  }

 private:
  /// Puts the components of `path` in front of those still to do.
  Errno push(std::string_view path) {
    if (path.starts_with('/')) return Errno::NotCapable;
    if (todo_.empty() && path.ends_with('/')) found_.slash = true;
    std::vector<std::string> parts;
    while (!path.empty()) {
      const size_t slash = path.find('/');
      const std::string_view part = path.substr(0, slash);
      if (part.size() > MaxName) return Errno::NameTooLong;
      if (!part.empty()) parts.emplace_back(part);
      path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
    todo_.insert(todo_.end(), parts.rbegin(), parts.rend());
    return Errno::Success;
  }

  Errno step() {
    const std::string part = std::move(todo_.back());
    todo_.pop_back();
    const bool last = todo_.empty();
    if (part == "." || part == "..") {
      if (part == "..") {
        if (found_.stack.size() == 1) return Errno::NotCapable;
        found_.stack.pop_back();
      }
      found_.name = ".";
      found_.node = found_.stack.back();
      return Errno::Success;
    }
    Node& directory = found_.parent();
    const auto it = directory.entries.find(part);
    NodePtr node = it == directory.entries.end() ? nullptr : it->second;
    if (!node && !last) return Errno::NoEnt;
    if (node && node->type == FileType::SymbolicLink && (!last || follow_ || found_.slash)) {
      if (++links_ > MaxLinks) return Errno::Loop;
      return push(node->target);
    }
    if (last) {
      found_.name = part;
      found_.node = std::move(node);
      if (found_.slash && found_.node && found_.node->type != FileType::Directory) return Errno::NotDir;
      return Errno::Success;
    }
    if (node->type != FileType::Directory) return Errno::NotDir;
    found_.stack.push_back(std::move(node));
    return Errno::Success;
  }

  Found found_;
  std::vector<std::string> todo_;  // the next one last
  bool follow_;
  int links_ = 0;
};

class MemoryFile final : public File {
 public:
  MemoryFile(NodePtr node, bool writable, uint16_t flags) : node_(std::move(node)), writable_(writable), flags_(flags) {}

  [[nodiscard]] FileType type() const override { return FileType::RegularFile; }
  [[nodiscard]] bool seekable() const override { return true; }
  [[nodiscard]] uint16_t flags() override { return flags_; }
  IoResult<void> set_flags(uint16_t flags) override {
    flags_ = flags;
    return {};
  }

  IoResult<uint64_t> read(std::span<const iovec> to) override {
    auto n = pread(to, at_);
    if (n) at_ += *n;
    return n;
  }
  IoResult<uint64_t> pread(std::span<const iovec> to, uint64_t offset) override {
    const auto bytes = node_->contents();
    uint64_t at = offset;
    for (const iovec& piece : to) {
      if (at >= bytes.size()) break;
      const uint64_t n = std::min<uint64_t>(piece.iov_len, bytes.size() - at);
      if (n != 0) std::memcpy(piece.iov_base, bytes.data() + at, n);
      at += n;
    }
    return at - offset;
  }
  IoResult<uint64_t> write(std::span<const iovec> from) override {
    if (flags_ & fd_flag::Append) at_ = node_->contents().size();
    auto n = write_at(from, at_);
    if (n) at_ += *n;
    return n;
  }
  IoResult<uint64_t> pwrite(std::span<const iovec> from, uint64_t offset) override { return write_at(from, offset); }

  IoResult<uint64_t> seek(int64_t offset, Whence whence) override {
    const uint64_t base = whence == Whence::Set ? 0 : whence == Whence::Current ? at_ : node_->contents().size();
    int64_t to = 0;
    if (__builtin_add_overflow(static_cast<int64_t>(base), offset, &to)) return Errno::Overflow;
    if (to < 0) return Errno::Inval;
    at_ = static_cast<uint64_t>(to);
    return at_;
  }
  IoResult<FileStat> stat() override { return node_->stat(); }
  IoResult<void> set_size(uint64_t size) override {
    if (!writable_) return Errno::Inval;
    if (size > static_cast<uint64_t>(INT64_MAX)) return Errno::FBig;
    node_->changed();
    return node_->resize(size);
  }
  IoResult<void> allocate(uint64_t offset, uint64_t length) override {
    uint64_t end = 0;
    if (!writable_) return Errno::BadF;
    if (length == 0) return Errno::Inval;
    if (__builtin_add_overflow(offset, length, &end) || end > static_cast<uint64_t>(INT64_MAX)) return Errno::FBig;
    return end > node_->data.size() ? set_size(end) : IoResult<void>();
  }
  IoResult<void> set_times(FileTimes times) override {
    if (node_->read_only) return Errno::RoFs;
    node_->set_times(times);
    return {};
  }
  IoResult<void> advise(uint64_t, uint64_t, Advice) override { return {}; }
  IoResult<void> sync(bool) override { return {}; }
  [[nodiscard]] uint64_t available() override {
    const uint64_t size = node_->contents().size();
    return size > at_ ? size - at_ : 0;
  }

 private:
  IoResult<uint64_t> write_at(std::span<const iovec> from, uint64_t offset) {
    if (!writable_) return Errno::BadF;
    uint64_t total = 0;
    for (const iovec& piece : from) total += piece.iov_len;
    if (total == 0) return uint64_t{0};
    uint64_t end = 0;
    if (__builtin_add_overflow(offset, total, &end) || end > static_cast<uint64_t>(INT64_MAX)) return Errno::FBig;
    if (end > node_->data.size())
      if (auto grown = node_->resize(end); !grown) return grown.error();
    std::byte* to = node_->data.data() + offset;
    for (const iovec& piece : from) {
      if (piece.iov_len != 0) std::memcpy(to, piece.iov_base, piece.iov_len);
      to += piece.iov_len;
    }
    node_->changed();
    return total;
  }

  NodePtr node_;
  bool writable_;
  uint16_t flags_;
  uint64_t at_ = 0;
};

class MemoryDirectory final : public Directory {
 public:
  explicit MemoryDirectory(NodePtr node) : node_(std::move(node)) {}

  IoResult<std::shared_ptr<File>> open(std::string_view path, const OpenHow& how) override {
    auto found = Walk(node_, how.follow).run(path);
    if (!found) return found.error();
    NodePtr node = found->node;
    if (node && how.create && how.exclusive) return Errno::Exist;
    if (!node) {
      if (!how.create) return Errno::NoEnt;
      if (found->slash || how.directory) return how.directory ? Errno::NoEnt : Errno::IsDir;
      auto made = add(*found, FileType::RegularFile);
      if (!made) return made.error();
      node = *made;
    }
    if (node->type == FileType::SymbolicLink) return how.directory ? Errno::NotDir : Errno::Loop;
    if (node->type == FileType::Directory) {
      if (how.write || how.truncate) return Errno::IsDir;
      return std::shared_ptr<File>(std::make_shared<MemoryDirectory>(node));
    }
    if (how.directory) return Errno::NotDir;
    if (node->read_only && (how.write || how.truncate)) return Errno::RoFs;
    if (how.truncate) {
      (void)node->resize(0);
      node->changed();
    }
    return std::shared_ptr<File>(std::make_shared<MemoryFile>(node, how.write, how.flags));
  }

  IoResult<FileStat> stat() override { return node_->stat(); }
  IoResult<FileStat> stat_at(std::string_view path, bool follow) override {
    auto node = existing(path, follow);
    if (!node) return node.error();
    return (*node)->stat();
  }
  IoResult<void> set_times(FileTimes times) override {
    node_->set_times(times);
    return {};
  }
  IoResult<void> set_times_at(std::string_view path, bool follow, FileTimes times) override {
    auto node = existing(path, follow);
    if (!node) return node.error();
    if ((*node)->read_only) return Errno::RoFs;
    (*node)->set_times(times);
    return {};
  }

  IoResult<void> make_directory(std::string_view path) override { return add_at(path, FileType::Directory, {}); }
  IoResult<void> symlink(std::string_view target, std::string_view path) override {
    if (target.starts_with('/')) return Errno::NotCapable;
    if (target.empty()) return Errno::NoEnt;
    return add_at(path, FileType::SymbolicLink, target);
  }

  IoResult<void> remove_directory(std::string_view path) override {
    auto found = Walk(node_, false).run(path);
    if (!found) return found.error();
    if (!found->node) return Errno::NoEnt;
    if (found->name == ".") return Errno::Inval;
    if (found->node->type != FileType::Directory) return Errno::NotDir;
    if (!found->node->entries.empty()) return Errno::NotEmpty;
    found->node->removed = true;
    found->node->nlink = 0;
    take_away(*found);
    return {};
  }
  IoResult<void> unlink(std::string_view path) override {
    auto found = Walk(node_, false).run(path);
    if (!found) return found.error();
    if (!found->node) return Errno::NoEnt;
    if (found->node->type == FileType::Directory) return Errno::IsDir;
    if (found->node->read_only) return Errno::RoFs;
    found->node->nlink--;
    found->node->ctim = node_->quota->stamp();
    take_away(*found);
    return {};
  }
  IoResult<std::string> read_link(std::string_view path) override {
    auto node = existing(path, false);
    if (!node) return node.error();
    if ((*node)->type != FileType::SymbolicLink) return Errno::Inval;
    return (*node)->target;
  }

  IoResult<void> rename(std::string_view from, Directory& to_directory, std::string_view to) override;
  IoResult<void> link(std::string_view from, bool follow, Directory& to_directory, std::string_view to) override;

  IoResult<std::vector<DirEntry>> list() override {
    // ".." of a capability is itself: what lies above is nobody's business.
    std::vector<DirEntry> all{{".", node_->ino, FileType::Directory}, {"..", node_->ino, FileType::Directory}};
    for (const auto& [name, node] : node_->entries) all.push_back({name, node->ino, node->type});
    node_->atim = node_->quota->stamp();
    return all;
  }
  IoResult<void> sync(bool) override { return {}; }

 private:
  IoResult<NodePtr> existing(std::string_view path, bool follow) {
    auto found = Walk(node_, follow).run(path);
    if (!found) return found.error();
    if (!found->node) return Errno::NoEnt;
    return found->node;
  }
  static void take_away(Found& found) {
    found.parent().entries.erase(found.name);
    found.parent().quota->used -= EntryCost;
    found.parent().changed();
  }
  static IoResult<NodePtr> add(Found& found, FileType type) {
    if (found.parent().removed) return Errno::NoEnt;
    NodePtr node = new_node(found.parent().quota, type);
    if (!node) return Errno::NoSpc;
    if (!put(found, node)) return Errno::NoSpc;
    return node;
  }
  static bool put(Found& found, const NodePtr& node) {
    Node& parent = found.parent();
    if (!parent.quota->take(EntryCost)) return false;
    parent.entries.emplace(found.name, node);
    parent.changed();
    return true;
  }
  IoResult<void> add_at(std::string_view path, FileType type, std::string_view target) {
    auto found = Walk(node_, false).run(path);
    if (!found) return found.error();
    if (found->node) return Errno::Exist;
    if (found->slash && type != FileType::Directory) return Errno::NoEnt;
    if (!found->parent().quota->take(target.size())) return Errno::NoSpc;
    auto node = add(*found, type);
    if (!node) {
      found->parent().quota->used -= target.size();
      return node.error();
    }
    (*node)->target = target;
    return {};
  }

  NodePtr node_;
};

IoResult<void> MemoryDirectory::rename(std::string_view from, Directory& to_directory, std::string_view to) {
  auto* other = dynamic_cast<MemoryDirectory*>(&to_directory);
  if (!other || other->node_->quota != node_->quota) return Errno::XDev;
  auto source = Walk(node_, false).run(from);
  if (!source) return source.error();
  if (!source->node) return Errno::NoEnt;
  auto target = Walk(other->node_, false).run(to);
  if (!target) return target.error();
  if (source->name == "." || target->name == ".") return Errno::Busy;
  const bool directory = source->node->type == FileType::Directory;
  if (target->slash && !directory) return Errno::NotDir;
  if (source->node->read_only || (target->node && target->node->read_only)) return Errno::RoFs;
  if (source->node == target->node) return {};
  // The walk to the target may have begun below the source: then its stack does not show it, but its start is inside.
  if (directory) {
    std::vector<const Node*> below{source->node.get()};
    while (!below.empty()) {
      const Node* at = below.back();
      below.pop_back();
      if (at == &target->parent()) return Errno::Inval;
      for (const auto& [name, node] : at->entries)
        if (node->type == FileType::Directory) below.push_back(node.get());
    }
  }
  if (target->node) {
    const bool onto_directory = target->node->type == FileType::Directory;
    if (directory && !onto_directory) return Errno::NotDir;
    if (!directory && onto_directory) return Errno::IsDir;
    if (onto_directory && !target->node->entries.empty()) return Errno::NotEmpty;
    target->node->nlink--;
    target->node->removed = onto_directory;
  }
  if (target->parent().removed) return Errno::NoEnt;
  if (!target->node) node_->quota->used += EntryCost;  // for the time of a moment above the limit
  target->parent().entries[target->name] = source->node;
  source->node->ctim = node_->quota->stamp();
  target->parent().changed();
  take_away(*source);
  return {};
}

IoResult<void> MemoryDirectory::link(std::string_view from, bool follow, Directory& to_directory, std::string_view to) {
  auto* other = dynamic_cast<MemoryDirectory*>(&to_directory);
  if (!other || other->node_->quota != node_->quota) return Errno::XDev;
  auto node = existing(from, follow);
  if (!node) return node.error();
  if ((*node)->type == FileType::Directory) return Errno::Perm;
  auto target = Walk(other->node_, false).run(to);
  if (!target) return target.error();
  if (target->node) return Errno::Exist;
  if (target->slash || target->parent().removed) return Errno::NoEnt;
  if (!put(*target, *node)) return Errno::NoSpc;
  (*node)->nlink++;
  (*node)->ctim = node_->quota->stamp();
  return {};
}

}  // namespace

struct MemoryTree::State {
  std::shared_ptr<Quota> quota;
  NodePtr root;
};

MemoryTree::MemoryTree(uint64_t byte_limit) : state_(std::make_shared<State>()) {
  state_->quota = std::make_shared<Quota>();
  state_->quota->limit = std::max(byte_limit, NodeCost);
  state_->root = new_node(state_->quota, FileType::Directory);
}
MemoryTree::~MemoryTree() = default;

std::shared_ptr<Directory> MemoryTree::root() const { return std::make_shared<MemoryDirectory>(state_->root); }
uint64_t MemoryTree::bytes_used() const { return state_->quota->used; }
uint64_t MemoryTree::changes() const { return state_->quota->changes; }

IoResult<void> MemoryTree::make_path(std::string_view path) {
  for (size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    auto made = root()->make_directory(path.substr(0, end));
    if (!made && made.error() != Errno::Exist) return made;
  }
  return {};
}

IoResult<void> MemoryTree::add_shared_file(std::string_view path, std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> keep) {
  if (const size_t slash = path.rfind('/'); slash != std::string_view::npos)
    if (auto made = make_path(path.substr(0, slash)); !made) return made;
  auto found = Walk(state_->root, true).run(path);
  if (!found) return found.error();
  if (found->node) return Errno::Exist;
  NodePtr node = new_node(state_->quota, FileType::RegularFile);
  if (!node) return Errno::NoSpc;
  node->read_only = true;
  node->shared = bytes;
  node->keep = std::move(keep);
  if (!state_->quota->take(EntryCost)) return Errno::NoSpc;
  found->parent().entries.emplace(found->name, node);
  return {};
}

}  // namespace krait::pyhost
