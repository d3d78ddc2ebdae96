// Every file system answers alike: the same cases on files in memory, on a folder of this machine, and on a union of both.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/pyhost/files.hpp"
#include "tests/pyhost/scratch.hpp"

using namespace krait::pyhost;
using namespace krait::test;

namespace {

struct Kind {
  std::string name;
  std::shared_ptr<Directory> root;
  std::shared_ptr<void> keep;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  auto memory = std::make_shared<MemoryTree>(1 << 20);
  all.push_back({"memory", memory->root(), memory});
  auto folder = std::make_shared<ScratchFolder>();
  auto host = open_host_directory(folder->path(), false);
  REQUIRE_MESSAGE(host.ok(), host.error().message);
  all.push_back({"host", *host, folder});
  auto mounted = std::make_shared<MemoryTree>(1 << 20);
  MemoryTree base(1 << 20);
  auto whole = union_directory(base.root(), {{"mnt/point", mounted->root()}});
  all.push_back({"mounted", directory_at(*whole, "mnt/point"), mounted});
  auto above = std::make_shared<MemoryTree>(1 << 20);
  all.push_back({"union", union_directory(above->root(), {{"zz/mount", base.root()}}), above});
  return all;
}

std::vector<std::string> names(Directory& directory) {
  auto entries = directory.list();
  REQUIRE(entries.ok());
  std::vector<std::string> all;
  for (const DirEntry& e : *entries) {
    CHECK(e.ino != 0);
    if (e.name != "zz") all.push_back(e.name);  // the union's mount point
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("files are written, read, positioned, cut") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Directory& d = *kind.root;
    auto file = open_for(d, "f", OpenHow{.write = true, .create = true});
    CHECK(put(*file, "hello world").ok());
    CHECK(*file->seek(-5, Whence::End) == 6);
    CHECK(get(*file, 3) == "wor");
    CHECK(error_of(file->seek(-100, Whence::Current)) == Errno::Inval);
    CHECK(*file->seek(0, Whence::Current) == 9);
    CHECK(file->set_size(5).ok());
    CHECK(file->stat()->size == 5);
    CHECK(get(*file) == "");  // behind the end
    CHECK(put(*file, "!").ok());
    CHECK(contents(d, "f") == std::string("hello\0\0\0\0!", 10));
    CHECK(file->allocate(0, 20).ok());
    CHECK(file->stat()->size == 20);
    CHECK(error_of(file->allocate(1, 0)) == Errno::Inval);
    CHECK(error_of(file->allocate(uint64_t(INT64_MAX), 1)) == Errno::FBig);
    auto append = open_for(d, "f", OpenHow{.write = true, .truncate = true, .flags = fd_flag::Append});
    CHECK(put(*append, "ab").ok());
    CHECK(*append->seek(0, Whence::Set) == 0);
    CHECK(put(*append, "cd").ok());
    CHECK(contents(d, "f") == "abcd");
    CHECK(error_of(d.open("f", OpenHow{.write = true, .create = true, .exclusive = true})) == Errno::Exist);
    CHECK(error_of(d.open("g", OpenHow{})) == Errno::NoEnt);
    CHECK(error_of(d.open("f", OpenHow{.directory = true})) == Errno::NotDir);
    CHECK(error_of(d.open("f/", OpenHow{})) == Errno::NotDir);
    CHECK(error_of(d.open("f/x", OpenHow{})) == Errno::NotDir);
    CHECK(error_of(d.open("", OpenHow{})) == Errno::NoEnt);
    CHECK(error_of(d.open(".", OpenHow{.write = true})) == Errno::IsDir);
    CHECK(error_of(d.open(std::string(256, 'n'), OpenHow{.write = true, .create = true})) == Errno::NameTooLong);
  }
}

TEST_CASE("directories are made, listed, removed") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Directory& d = *kind.root;
    CHECK(d.make_directory("a").ok());
    CHECK(d.make_directory("a/b/").ok());
    CHECK(error_of(d.make_directory("a")) == Errno::Exist);
    CHECK(error_of(d.make_directory("none/b")) == Errno::NoEnt);
    make_file(d, "a/f");
    CHECK(names(*directory_at(d, "a")) == std::vector<std::string>{".", "..", "b", "f"});
    CHECK(error_of(d.remove_directory("a")) == Errno::NotEmpty);
    CHECK(error_of(d.remove_directory("a/f")) == Errno::NotDir);
    CHECK(error_of(d.remove_directory("a/b/.")) == Errno::Inval);
    CHECK(error_of(d.unlink("a/b")) == Errno::IsDir);
    CHECK(error_of(d.unlink("a/f/")) == Errno::NotDir);
    CHECK(error_of(d.unlink("a/none")) == Errno::NoEnt);
    auto open = directory_at(d, "a/b");
    CHECK(d.remove_directory("a/b").ok());
    CHECK(error_of(open->open("x", OpenHow{.write = true, .create = true})) == Errno::NoEnt);
    CHECK(error_of(open->make_directory("x")) == Errno::NoEnt);
    auto file = open_for(d, "a/f", OpenHow{.write = true});
    CHECK(d.unlink("a/f").ok());
    CHECK(put(*file, "lives on").ok());
    CHECK(file->stat()->nlink == 0);
    CHECK(names(*directory_at(d, "a")) == std::vector<std::string>{".", ".."});
    auto a = d.stat_at("a", true);
    CHECK((a.ok() && a->type == FileType::Directory && a->ino != 0));
  }
}

TEST_CASE("symbolic links") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Directory& d = *kind.root;
    REQUIRE(d.make_directory("dir").ok());
    make_file(d, "dir/f", "text");
    CHECK(d.symlink("dir/f", "to-file").ok());
    CHECK(d.symlink("dir", "to-dir").ok());
    CHECK(d.symlink("../to-file", "dir/back").ok());
    CHECK(d.symlink("none", "dangling").ok());
    CHECK(d.symlink("loop", "loop").ok());
    CHECK(error_of(d.symlink("/etc", "absolute")) == Errno::NotCapable);
    CHECK(error_of(d.symlink("x", "to-file")) == Errno::Exist);
    CHECK(error_of(d.symlink("x", "new/")) == Errno::NoEnt);
    CHECK(contents(d, "to-file") == "text");
    CHECK(contents(d, "to-dir/f") == "text");
    CHECK(contents(d, "to-dir/back") == "text");
    CHECK(contents(d, "to-dir/../dir/f") == "text");
    CHECK(contents(d, "loop") == "error ELOOP");
    CHECK(contents(d, "dangling") == "error ENOENT");
    CHECK(error_of(d.open("to-file", OpenHow{.follow = false})) == Errno::Loop);
    CHECK(error_of(d.open("to-dir", OpenHow{.directory = true, .follow = false})) == Errno::NotDir);
    CHECK(d.stat_at("to-file", false)->type == FileType::SymbolicLink);
    CHECK(d.stat_at("to-file", false)->size == 5);
    CHECK(d.stat_at("to-file", true)->type == FileType::RegularFile);
    CHECK(*d.read_link("to-file") == "dir/f");
    CHECK(error_of(d.read_link("dir")) == Errno::Inval);
    CHECK(d.rename("to-file", d, "moved").ok());
    CHECK(*d.read_link("moved") == "dir/f");
    make_file(d, "dangling", "made through the link");
    CHECK(contents(d, "none") == "made through the link");
    CHECK(error_of(d.remove_directory("to-dir")) == Errno::NotDir);
    CHECK(d.unlink("to-dir").ok());
    CHECK(contents(d, "dir/f") == "text");
  }
}

TEST_CASE("renames and hard links") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Directory& d = *kind.root;
    for (const char* name : {"a", "b", "full"}) REQUIRE(d.make_directory(name).ok());
    make_file(d, "f", "f"), make_file(d, "g", "g"), make_file(d, "full/x");
    CHECK(d.rename("f", d, "g").ok());
    CHECK(contents(d, "g") == "f");
    CHECK(error_of(d.rename("f", d, "h")) == Errno::NoEnt);
    CHECK(error_of(d.rename("g", d, "a")) == Errno::IsDir);
    CHECK(error_of(d.rename("a", d, "g")) == Errno::NotDir);
    CHECK(error_of(d.rename("a", d, "full")) == Errno::NotEmpty);
    CHECK(error_of(d.rename("b", d, "b/in/itself")) == Errno::NoEnt);
    CHECK(error_of(d.rename("b", d, "b/itself")) == Errno::Inval);
    CHECK(d.rename("a", d, "b").ok());
    auto inside = directory_at(d, "b");
    CHECK(error_of(d.rename("b", *inside, "itself")) == Errno::Inval);
    CHECK(d.rename("full", *inside, "full").ok());
    CHECK(error_of(inside->stat_at("full/x", true)) == Errno::Success);
    CHECK(error_of(d.rename("g", d, "h/")) == Errno::NotDir);
    CHECK(error_of(d.rename("g/", d, "h")) == Errno::NotDir);
    CHECK(d.rename("g", d, "g").ok());

    CHECK(d.link("g", false, *inside, "hard").ok());
    CHECK(d.stat_at("b/hard", true)->ino == d.stat_at("g", true)->ino);
    CHECK(d.stat_at("g", true)->nlink == 2);
    CHECK(error_of(d.link("g", false, d, "b")) == Errno::Exist);
    CHECK(error_of(d.link("b", false, d, "c")) == Errno::Perm);
    CHECK(error_of(d.link("g", false, d, "c/")) == Errno::NoEnt);
    CHECK(d.symlink("g", "soft").ok());
    CHECK(d.link("soft", true, d, "followed").ok());
    CHECK(d.stat_at("followed", false)->type == FileType::RegularFile);
    CHECK(d.unlink("g").ok());
    CHECK(contents(d, "followed") == "f");
  }
}

TEST_CASE("nothing is renamed or linked from one file system to another") {
  std::vector<Kind> all = kinds();
  for (Kind& from : all) {
    make_file(*from.root, "f", "f");
    REQUIRE(from.root->make_directory("d").ok());
    for (Kind& to : all) {
      CAPTURE(from.name);
      CAPTURE(to.name);
      if (&from == &to) continue;
      CHECK(error_of(from.root->rename("f", *to.root, "g")) == Errno::XDev);
      CHECK(error_of(from.root->rename("d", *to.root, "e")) == Errno::XDev);
      CHECK(error_of(from.root->link("f", true, *to.root, "g")) == Errno::XDev);
      CHECK(error_of(to.root->stat_at("g", false)) == Errno::NoEnt);
      CHECK(contents(*from.root, "f") == "f");
    }
  }
  ScratchFolder one, two;
  auto first = open_host_directory(one.path(), false), second = open_host_directory(two.path(), false);
  REQUIRE((first.ok() && second.ok()));
  make_file(**first, "f", "f");
  CHECK((*first)->rename("f", **second, "g").ok());  // one disk
  CHECK((*second)->link("g", false, **first, "f").ok());
  CHECK(two.read("g") == "f");
  CHECK(one.read("f") == "f");
}

TEST_CASE("timestamps") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    Directory& d = *kind.root;
    make_file(d, "f");
    REQUIRE(d.symlink("f", "l").ok());
    CHECK(d.set_times_at("l", true, FileTimes{1'000'000'001, 2'000'000'002}).ok());
    CHECK(d.stat_at("f", true)->atim == 1'000'000'001);
    CHECK(d.set_times_at("l", false, FileTimes{3'000'000'003, std::nullopt}).ok());
    CHECK(d.stat_at("l", false)->atim == 3'000'000'003);
    CHECK(d.stat_at("f", true)->mtim == 2'000'000'002);
    auto file = open_for(d, "f", OpenHow{});
    CHECK(file->set_times(FileTimes{std::nullopt, 5}).ok());
    CHECK(file->stat()->mtim == 5);
    CHECK(error_of(d.set_times_at("none", true, {})) == Errno::NoEnt);
  }
}

TEST_CASE("no path leads out of a directory") {
  for (Kind& kind : kinds()) {
    CAPTURE(kind.name);
    REQUIRE(kind.root->make_directory("jail").ok());
    make_file(*kind.root, "secret", "secret");
    auto jail = directory_at(*kind.root, "jail");
    REQUIRE(jail->make_directory("in").ok());
    make_file(*jail, "f");
    REQUIRE(jail->symlink("../secret", "out").ok());
    REQUIRE(jail->symlink("../..", "in/up").ok());
    for (const std::string path : {"..", "../secret", "in/../../secret", "out", "in/up", "in/up/secret", "/", "/etc/passwd", "in/../.."}) {
      CAPTURE(path);
      CHECK(error_of(jail->open(path, OpenHow{})) == Errno::NotCapable);
      CHECK(error_of(jail->open(path, OpenHow{.write = true, .create = true})) == Errno::NotCapable);
      CHECK(error_of(jail->stat_at(path, true)) == Errno::NotCapable);
      CHECK(error_of(jail->set_times_at(path, true, FileTimes{1, 1})) == Errno::NotCapable);
    }
    for (const std::string path : {"../new", "in/up/new", "/new", "in/../../new"}) {
      CAPTURE(path);
      CHECK(error_of(jail->make_directory(path)) == Errno::NotCapable);
      CHECK(error_of(jail->symlink("x", path)) == Errno::NotCapable);
      CHECK(error_of(jail->rename("f", *jail, path)) == Errno::NotCapable);
      CHECK(error_of(jail->link("f", false, *jail, path)) == Errno::NotCapable);
    }
    for (const std::string path : {"../secret", "in/up/secret"}) {
      CHECK(error_of(jail->unlink(path)) == Errno::NotCapable);
      CHECK(error_of(jail->remove_directory(path)) == Errno::NotCapable);
      CHECK(error_of(jail->rename(path, *jail, "mine")) == Errno::NotCapable);
      CHECK(error_of(jail->link(path, false, *jail, "mine")) == Errno::NotCapable);
      CHECK(error_of(jail->read_link(path)) == Errno::NotCapable);
    }
    CHECK(contents(*kind.root, "secret") == "secret");
    CHECK(error_of(jail->open("in/../f", OpenHow{})) == Errno::Success);
  }
}

TEST_CASE("a folder that is swapped for a link while paths are resolved is no way out") {
  const ScratchFolder scratch;
  std::filesystem::create_directories(scratch / "jail/a");
  std::filesystem::create_directories(scratch / "outside");
  scratch.write("jail/a/f", "inside");
  scratch.write("outside/f", "outside");
  std::filesystem::create_directory_symlink(scratch / "outside", scratch / "jail/b");
  auto jail = open_host_directory(scratch / "jail", false);
  REQUIRE(jail.ok());
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    const int at = open((scratch / "jail").c_str(), O_RDONLY | O_DIRECTORY);
    while (!stop) renameat2(at, "a", at, "b", RENAME_EXCHANGE);
    close(at);
  });
  int inside = 0;
  for (int i = 0; i < 3000; i++) {
    const std::string text = contents(**jail, "a/f");
    CHECK(text != "outside");
    inside += text == "inside";
    (void)(*jail)->unlink("a/g");
    (void)(*jail)->make_directory("a/made");
  }
  stop = true;
  swapper.join();
  CHECK(inside > 0);
  CHECK_FALSE(std::filesystem::exists(scratch / "outside/made"));
}

TEST_CASE("a read-only folder takes no change") {
  const ScratchFolder scratch;
  scratch.write("f", "text");
  auto opened = open_host_directory(scratch.path(), true);
  REQUIRE(opened.ok());
  Directory& d = **opened;
  CHECK(contents(d, "f") == "text");
  CHECK(error_of(d.open("f", OpenHow{.write = true})) == Errno::RoFs);
  CHECK(error_of(d.open("f", OpenHow{.truncate = true})) == Errno::RoFs);
  CHECK(error_of(d.open("f", OpenHow{.create = true})) == Errno::Success);
  CHECK(error_of(d.open("g", OpenHow{.create = true})) == Errno::RoFs);
  CHECK(error_of(d.open("f", OpenHow{.create = true, .exclusive = true})) == Errno::Exist);
  CHECK(error_of(d.unlink("f")) == Errno::RoFs);
  CHECK(error_of(d.make_directory("d")) == Errno::RoFs);
  CHECK(error_of(d.symlink("f", "l")) == Errno::RoFs);
  CHECK(error_of(d.rename("f", d, "g")) == Errno::RoFs);
  CHECK(error_of(d.link("f", false, d, "g")) == Errno::RoFs);
  CHECK(error_of(d.set_times_at("f", true, FileTimes{1, 1})) == Errno::RoFs);
  auto file = open_for(d, "f", OpenHow{});
  CHECK(error_of(file->set_times(FileTimes{1, 1})) == Errno::RoFs);
  CHECK(error_of(directory_at(d, ".")->unlink("f")) == Errno::RoFs);
  CHECK(scratch.read("f") == "text");
}

TEST_CASE("a FIFO does not hold up its opening") {
  const ScratchFolder scratch;
  REQUIRE(mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  auto d = open_host_directory(scratch.path(), false);
  REQUIRE(d.ok());
  auto reader = open_for(**d, "fifo", OpenHow{});
  CHECK(reader->poll_fd() >= 0);
  auto writer = open_for(**d, "fifo", OpenHow{.read = false, .write = true});
  char c = 0;
  const iovec one{&c, 1};
  CHECK(error_of(reader->read({&one, 1})) == Errno::Again);
  CHECK(put(*writer, "x").ok());
  CHECK(reader->available() == 1);
  CHECK(get(*reader) == "x");
  CHECK(error_of(reader->seek(0, Whence::Set)) == Errno::SPipe);
}

TEST_CASE("memory is bounded, and comes back") {
  MemoryTree tree(6144);
  auto root = tree.root();
  const uint64_t empty = tree.bytes_used();
  auto file = open_for(*root, "f", OpenHow{.write = true, .create = true});
  CHECK(put(*file, std::string(3000, 'x')).ok());
  CHECK(error_of(put(*file, std::string(3000, 'x'))) == Errno::NoSpc);
  CHECK(error_of(file->set_size(uint64_t{1} << 40)) == Errno::NoSpc);
  CHECK(file->stat()->size == 3000);
  CHECK(file->set_size(100).ok());
  CHECK(put(*file, "y").ok());  // at 3000
  CHECK(file->stat()->size == 3001);
  int made = 0;
  while (root->make_directory("d" + std::to_string(made)).ok()) made++;
  CHECK(made > 0);
  CHECK(made < 10);
  for (int i = 0; i < made; i++) CHECK(root->remove_directory("d" + std::to_string(i)).ok());
  CHECK(root->unlink("f").ok());
  CHECK(tree.bytes_used() > empty);  // still open
  file.reset();
  CHECK(tree.bytes_used() == empty);
}

TEST_CASE("names are bounded as contents are, and depth frees itself") {
  constexpr uint64_t Limit = 64 << 20;
  MemoryTree tree(Limit);
  auto root = tree.root();
  const uint64_t empty = tree.bytes_used();
  make_file(*root, "f");
  REQUIRE(root->make_directory("links").ok());
  auto links = directory_at(*root, "links");
  int count = 0;
  while (root->link("f", false, *links, std::to_string(count)).ok()) count++;
  CHECK(count < static_cast<int>(Limit / 256));
  CHECK(error_of(root->symlink(std::string(4000, 'x'), "l")) == Errno::NoSpc);
  for (int i = 0; i < count; i++) CHECK(links->unlink(std::to_string(i)).ok());
  links.reset();
  CHECK(root->remove_directory("links").ok());
  CHECK(root->unlink("f").ok());
  CHECK(tree.bytes_used() == empty);

  // 100,000 deep, by way of open directories, and freed as a whole.
  auto at = root;
  for (int i = 0; i < 100'000; i++) {
    REQUIRE(at->make_directory("d").ok());
    at = directory_at(*at, "d");
  }
  at.reset();
  CHECK(root->rename("d", *root, "e").ok());
  MemoryTree other(Limit);
  CHECK(error_of(root->rename("e", *other.root(), "e")) == Errno::XDev);
}

TEST_CASE("a shared file is read by all and changed by none") {
  auto bytes = std::make_shared<std::vector<std::byte>>(100'000, std::byte{'z'});
  MemoryTree tree(1 << 16);
  REQUIRE(tree.add_shared_file("lib/deep/image", *bytes, bytes).ok());
  std::weak_ptr<std::vector<std::byte>> alive = bytes;
  bytes.reset();
  auto root = tree.root();
  CHECK(root->stat_at("lib/deep/image", true)->size == 100'000);
  CHECK(contents(*root, "lib/deep/image") == std::string(1000, 'z'));
  CHECK(error_of(root->open("lib/deep/image", OpenHow{.write = true})) == Errno::RoFs);
  CHECK(error_of(root->unlink("lib/deep/image")) == Errno::RoFs);
  CHECK(error_of(root->rename("lib/deep/image", *root, "mine")) == Errno::RoFs);
  CHECK(error_of(root->set_times_at("lib/deep/image", true, FileTimes{1, 1})) == Errno::RoFs);
  auto file = open_for(*root, "lib/deep/image", OpenHow{});
  CHECK(error_of(file->set_size(0)) == Errno::Inval);
  CHECK_FALSE(alive.expired());
}

TEST_CASE("a union shows each directory at its place") {
  MemoryTree base(1 << 20), tmp(1 << 20), user(1 << 20);
  auto root = union_directory(base.root(), {{"tmp", tmp.root()}, {"home/me/project", user.root()}});
  make_file(*root, "f", "base");
  make_file(*root, "tmp/f", "tmp");
  make_file(*root, "home/me/project/f", "user");
  CHECK(contents(*base.root(), "f") == "base");
  CHECK(contents(*tmp.root(), "f") == "tmp");
  CHECK(contents(*user.root(), "f") == "user");
  CHECK(contents(*root, "tmp/../f") == "base");
  CHECK(contents(*root, "home/me/project/../../../tmp/f") == "tmp");
  CHECK(contents(*directory_at(*root, "home"), "me/project/f") == "user");
  CHECK(error_of(directory_at(*root, "home")->open("../f", OpenHow{})) == Errno::NotCapable);
  CHECK(error_of(root->open("../f", OpenHow{})) == Errno::NotCapable);
  CHECK(error_of(root->open("tmp/../../f", OpenHow{})) == Errno::NotCapable);
  CHECK(names(*root) == std::vector<std::string>{".", "..", "f", "home", "tmp"});
  CHECK(names(*directory_at(*root, "home/me")) == std::vector<std::string>{".", "..", "project"});
  CHECK(root->stat_at("home/me", true)->type == FileType::Directory);

  CHECK(error_of(root->remove_directory("tmp")) == Errno::Busy);
  CHECK(error_of(root->remove_directory("home/me")) == Errno::Busy);
  CHECK(error_of(root->rename("home", *root, "house")) == Errno::Busy);
  CHECK(error_of(root->rename("f", *root, "tmp")) == Errno::Busy);
  CHECK(error_of(root->make_directory("home/me")) == Errno::Exist);
  CHECK(error_of(root->unlink("tmp")) == Errno::IsDir);
  CHECK(error_of(root->rename("f", *root, "tmp/g")) == Errno::XDev);
  CHECK(error_of(root->link("f", false, *root, "tmp/g")) == Errno::XDev);
  CHECK(root->rename("tmp/f", *root, "tmp/g").ok());
  CHECK(root->rename("home/me/project/f", *directory_at(*root, "home"), "me/project/g").ok());
  CHECK(contents(*user.root(), "g") == "user");
}

TEST_CASE("streams") {
  auto source = bytes_source({std::byte{'a'}, std::byte{0}, std::byte{'c'}});
  CHECK(source->available() == 3);
  CHECK(get(*source, 2) == std::string("a\0", 2));
  CHECK(get(*source) == "c");
  CHECK(get(*source) == "");
  CHECK(error_of(put(*source, "x")) == Errno::BadF);
  BufferSink sink(4);
  CHECK(*put(sink, "abc") == 3);
  CHECK(*put(sink, "def") == 3);
  CHECK(sink.text() == "abcd");
  CHECK(sink.dropped() == 2);
  CHECK(sink.take() == "abcd");
  CHECK(sink.dropped() == 0);
  std::string heard;
  auto callback = callback_sink([&](std::span<const std::byte> bytes) {
    heard.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  CHECK(*put(*callback, "once ") == 5);
  CHECK(*put(*callback, "twice") == 5);
  CHECK(heard == "once twice");
  CHECK(*put(*null_stream(), "gone") == 4);
  CHECK(get(*null_stream()) == "");
}
