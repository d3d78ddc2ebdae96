// Snapshots and resets: the state of an instance as bytes, as the start of others, and put back.
#include "engine/snapshot.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "tests/engine/guest.hpp"

using namespace krait::engine;
using krait::test::compiled;
using krait::test::Guest;
using krait::test::kind_of;

namespace {

// State of every kind: memory beyond its minimum, a global, a table that was changed, dropped segments.
constexpr const char* Text = R"((module
  (memory (export "memory") 1)
  (table $t 4 funcref)
  (global $g (export "global") (mut i64) (i64.const 1))
  (data $d "abc")
  (elem $e func $one $two)
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func (export "change")
    (drop (memory.grow (i32.const 2)))
    (i32.store (i32.const 0x2fffc) (i32.const 12345))
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3))
    (data.drop $d)
    (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2))
    (elem.drop $e)
    (global.set $g (i64.const 99)))
  (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "clear") (table.set $t (i32.const 1) (ref.null func)) (global.set $g (i64.const 0)))
  (func (export "init again") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "pages") (result i32) (memory.size))))";

/// Checks that the instance made last is in the state that "change" left.
void check_changed(Guest& guest) {
  CHECK(guest.get<int32_t>("pages") == 3);
  CHECK(guest.get<int32_t>("load", 0x2fffc) == 12345);
  CHECK(guest.get<int32_t>("load", 0) == 0x636261);
  CHECK(guest.get<int32_t>("call", 1) == 1);
  CHECK(guest.get<int32_t>("call", 2) == 2);
  CHECK(kind_of(guest.call<int32_t>("call", 3)) == TrapKind::UninitializedElement);
  CHECK(kind_of(guest.call<void>("init again")) == TrapKind::MemoryOutOfBounds);
  CHECK(guest.instance->export_global("global")->cell.low == 99);
}

/// KiB of the mapping at `address` that are copies, made for a write.
long copied_kib(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= wanted && wanted < end;
    long kib = 0;
    if (inside && std::sscanf(line.c_str(), "Anonymous: %ld kB", &kib) == 1) return kib;
  }
  return -1;
}

/// A file in memory with these bytes.
struct MappedCopy {
  explicit MappedCopy(const std::vector<std::byte>& bytes) : fd(memfd_create("snapshot", MFD_CLOEXEC)) {
    REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MappedCopy() { close(fd); }
  MappedCopy(const MappedCopy&) = delete;
  MappedCopy& operator=(const MappedCopy&) = delete;
  const int fd;
};

}  // namespace

TEST_CASE("instances of a snapshot share its memory, page by page, until they write") {
  Guest first;
  first.instantiate(R"((module (memory 64)
    (func (export "fill") (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x400000)))
    (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 1)))
    (func (export "sum") (result i32) (local $at i32) (local $sum i32)
      (loop
        (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
        (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4096))) (i32.const 0x400000))))
      (local.get $sum))))");
  REQUIRE(first.call<void>("fill").ok());
  const auto taken = Snapshot::take(*first.instance);
  REQUIRE(taken.ok());
  std::array<Guest, 2> guests;
  for (Guest& guest : guests) {
    const auto made = guest.linker.instantiate(guest.store, first.instance->module_ptr(), *taken);
    REQUIRE(made.ok());
    guest.instance = *made;
    CHECK(guest.get<int32_t>("sum") == 7 * 1024);
    CHECK(copied_kib(guest.instance->memory(0).base()) == 0);
  }
  for (const int32_t page : {0, 1, 500}) REQUIRE(guests[0].call<void>("store", page * 4096).ok());
  CHECK(guests[0].get<int32_t>("sum") == 7 * 1024 - 3 * 6);
  CHECK(guests[1].get<int32_t>("sum") == 7 * 1024);
  CHECK(first.get<int32_t>("sum") == 7 * 1024);
  CHECK(copied_kib(guests[0].instance->memory(0).base()) == 3 * 4);
  CHECK(copied_kib(guests[1].instance->memory(0).base()) == 0);
}

TEST_CASE("a snapshot starts instances in other stores, through its bytes too, and puts them back") {
  Guest first;
  first.instantiate(Text);
  REQUIRE(first.call<void>("change").ok());
  const auto taken = Snapshot::take(*first.instance);
  REQUIRE(taken.ok());
  const auto decoded = Snapshot::decode(first.instance->module(), (*taken)->encode());
  REQUIRE(decoded.ok());

  const MappedCopy file((*taken)->encode_plain());
  const auto mapped = Snapshot::map(first.instance->module(), file.fd);
  REQUIRE(mapped.ok());

  for (const auto& snapshot : {*taken, *decoded, *mapped}) {
    Guest guest;
    const auto made = guest.linker.instantiate(guest.store, first.instance->module_ptr(), snapshot);
    REQUIRE(made.ok());
    guest.instance = *made;
    check_changed(guest);
    REQUIRE(guest.call<void>("store", 0x10000, 5).ok());
    REQUIRE(guest.call<void>("clear").ok());
    REQUIRE(snapshot->restore(*guest.instance).ok());
    check_changed(guest);
    CHECK(guest.get<int32_t>("load", 0x10000) == 0);
  }
  check_changed(first);
}

TEST_CASE("bytes of a snapshot that were cut or changed are refused or give a snapshot, never a crash") {
  Guest guest;
  guest.instantiate(Text);
  REQUIRE(guest.call<void>("change").ok());
  const auto taken = Snapshot::take(*guest.instance);
  REQUIRE(taken.ok());
  const std::vector<std::byte> bytes = (*taken)->encode();
  const Module& module = guest.instance->module();
  for (size_t size = 0; size < bytes.size(); size += size < 256 ? 1 : 4093)
    CHECK_FALSE(Snapshot::decode(module, std::span(bytes).first(size)).ok());
  int accepted = 0;
  for (size_t at = 0; at < bytes.size(); at += at < 256 ? 1 : 509) {
    auto changed = bytes;
    changed[at] ^= std::byte{0xff};
    accepted += Snapshot::decode(module, changed).ok();
  }
  MESSAGE(accepted << " changed snapshots were taken");
}

TEST_CASE("a snapshot's file that was cut or changed is refused or gives a snapshot, never a crash") {
  Guest guest;
  guest.instantiate(Text);
  REQUIRE(guest.call<void>("change").ok());
  const auto taken = Snapshot::take(*guest.instance);
  REQUIRE(taken.ok());
  const std::vector<std::byte> bytes = (*taken)->encode_plain();
  const Module& module = guest.instance->module();
  for (size_t size = 0; size < bytes.size(); size += size < 256 ? 1 : 4093)
    CHECK_FALSE(Snapshot::map(module, MappedCopy({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)}).fd).ok());
  for (size_t at = 0; at < 512; ++at) {
    auto changed = bytes;
    changed[at] ^= std::byte{0xff};
    if (const auto mapped = Snapshot::map(module, MappedCopy(changed).fd)) {
      Guest other;
      (void)other.linker.instantiate(other.store, guest.instance->module_ptr(), *mapped);
    }
  }
}

TEST_CASE("a snapshot refuses state that refers to what is outside") {
  Guest guest;
  guest.instantiate(R"((module (global $g (export "g") (mut externref) (ref.null extern))
    (func (export "set") (param externref) (global.set $g (local.get 0)))))");
  CHECK(Snapshot::take(*guest.instance).ok());
  REQUIRE(guest.call<void>("set", ExternRef::of(1)).ok());
  const auto taken = Snapshot::take(*guest.instance);
  REQUIRE_FALSE(taken.ok());
  CHECK_FALSE(taken.error().message.empty());
}

TEST_CASE("a memory's reset finds what was written between two others, by whomever") {
  constexpr uint64_t Pages = 3, Host = 4096;
  std::vector<std::byte> bytes(2 * PageSize);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / Host + 1);
  const auto image = MemoryImage::create(bytes);
  REQUIRE(image.ok());
  bytes.resize(Pages * PageSize);
  const auto made = Memory::create({{Pages, std::nullopt, false}}, Pages, *image);
  REQUIRE(made.ok());
  Memory& memory = **made;
  const auto is_as_made = [&] { return std::memcmp(memory.base(), bytes.data(), bytes.size()) == 0; };
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::byte* const at = memory.base() + random() % (Pages * PageSize - 8);
    switch (random() % 4) {
      case 0: break;
      case 1: *at ^= std::byte{255}; break;
      case 2: std::thread([at] { *at ^= std::byte{255}; }).join(); break;
      case 3:  // by the kernel
        REQUIRE(write(ends[1], "changed", 8) == 8);
        REQUIRE(read(ends[0], at, 8) == 8);
        break;
    }
    REQUIRE(memory.reset().ok());
    REQUIRE_MESSAGE(is_as_made(), round);
  }
  close(ends[0]), close(ends[1]);
}

TEST_CASE("a memory's reset puts contents and size back, and counts the pages it touched") {
  Guest guest;
  guest.instantiate(R"((module (memory (export "memory") 2) (data (i32.const 4096) "image")
    (func (export "dirty")
      (i32.store (i32.const 4096) (i32.const 0))
      (i32.store (i32.const 65536) (i32.const 1))
      (drop (memory.grow (i32.const 3)))
      (i32.store (i32.const 0x30000) (i32.const 1)))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 2)))))");
  Memory& memory = *guest.instance->export_memory("memory");
  const auto taken = Snapshot::take(*guest.instance);
  REQUIRE(taken.ok());
  Guest copy;
  const auto made = copy.linker.instantiate(copy.store, guest.instance->module_ptr(), *taken);
  REQUIRE(made.ok());
  copy.instance = *made;
  for (int round = 0; round < 3; ++round) {
    REQUIRE(copy.call<void>("dirty").ok());
    const auto own = (*taken)->restore(*copy.instance);
    REQUIRE(own.ok());
    if (!std::getenv("KRAIT_RESET")) CHECK((*own == 8192 || *own == 0));  // two pages; none where the kernel has no PAGEMAP_SCAN
    CHECK(copy.instance->memory(0).pages() == 2);
    CHECK(copy.get<int32_t>("load", 4096) == 0x67616d69);
    CHECK(copy.get<int32_t>("load", 65536) == 0);
    CHECK(kind_of(copy.call<int32_t>("load", 0x30000)) == TrapKind::MemoryOutOfBounds);
    CHECK(copy.get<int32_t>("grow") == 2);
    CHECK(copy.get<int32_t>("load", 0x30000) == 0);
    REQUIRE((*taken)->restore(*copy.instance).ok());
  }
  CHECK(memory.pages() == 2);
}
