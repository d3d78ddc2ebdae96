// A linear memory: a reservation of the whole 32-bit space and a guard behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "engine/types.hpp"

namespace krait::engine {

/// Bytes reserved: 4 GiB that a 32-bit address reaches, and a guard so that address + offset + access
/// faults without a check for offsets below GuardBytes.
constexpr uint64_t AddressSpaceBytes = uint64_t{1} << 32;
constexpr uint64_t GuardBytes = uint64_t{64} << 20;
constexpr uint64_t ReservedBytes = AddressSpaceBytes + GuardBytes;

/// An initial memory image, shared by all instances that are made from it and mapped copy-on-write.
class MemoryImage {
 public:
  /// Copies `bytes` (padded to a page of 64 KiB) into an anonymous file; whole zero pages stay holes.
  static Result<std::shared_ptr<const MemoryImage>> create(std::span<const std::byte> bytes);
  /// `size` bytes (a multiple of a page of 64 KiB) of a file from `offset` (of 4 KiB) on. The file must not change or shrink from
  /// now on. The descriptor is duplicated.
  static Result<std::shared_ptr<const MemoryImage>> map(int fd, uint64_t offset, uint64_t size);
  ~MemoryImage();
  MemoryImage(const MemoryImage&) = delete;
  MemoryImage& operator=(const MemoryImage&) = delete;
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] int fd() const { return fd_; }
  /// Where in the file it begins.
  [[nodiscard]] uint64_t offset() const { return offset_; }
  /// The image's bytes, mapped read-only.
  [[nodiscard]] std::span<const std::byte> bytes() const { return {view_, size_}; }

 private:
  MemoryImage() = default;
  int fd_ = -1;
  uint64_t offset_ = 0, size_ = 0;
  const std::byte* view_ = nullptr;
};

/// Not thread-safe, but for a shared memory's bytes, size() and grow(), which any thread may use.
class Memory {
 public:
  /// `page_cap` bounds growth below the type's own maximum. Fails where address space or memory runs out.
  static Result<std::unique_ptr<Memory>> create(const MemoryType& type, uint64_t page_cap);
  /// The same, its first bytes being `image`'s, copy-on-write. The image must hold at least type.limits.min
  /// pages; a larger one makes a larger memory.
  static Result<std::unique_ptr<Memory>> create(const MemoryType& type, uint64_t page_cap,
                                                std::shared_ptr<const MemoryImage> image);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] std::byte* base() const { return base_; }
  /// Where machine code finds base(), which never changes, in a Memory.
  static constexpr size_t base_offset() { return offsetof(Memory, base_); }
  [[nodiscard]] uint64_t size() const { return __atomic_load_n(&size_, __ATOMIC_ACQUIRE); }
  [[nodiscard]] uint64_t pages() const { return size() / PageSize; }
  [[nodiscard]] const MemoryType& type() const { return type_; }
  [[nodiscard]] bool shared() const { return type_.limits.shared; }
  [[nodiscard]] std::span<std::byte> bytes() const { return {base_, size()}; }

  /// The old size in pages, or -1 where the cap, the type's maximum or the system forbids it. Use
  /// Store::grow where contexts have to follow.
  int64_t grow(uint64_t delta_pages);

  /// True if [address, address + length) lies inside.
  [[nodiscard]] bool contains(uint64_t address, uint64_t length) const {
    const uint64_t bytes = size();
    return address <= bytes && length <= bytes - address;
  }

  /// Puts contents and size back to the image that the memory was made from (or to zero pages of the
  /// minimum size): the dirtied pages are found by PAGEMAP_SCAN, or known where the process has had no page fault since the last
  /// reset, and copied back, with no page fault later; on kernels before 6.7, and with KRAIT_RESET=madvise in the environment, by MADV_DONTNEED. Returns the number of 4 KiB pages that stay its
  /// own: those that were written to since it was made, or since the last MADV_DONTNEED.
  Result<uint64_t> reset();

 private:
  struct Run {
    uint32_t first, count;  // pages of 4 KiB
  };
  static constexpr uint64_t Never = UINT64_MAX;

  Memory() = default;
  bool find_own();
  std::byte* base_ = nullptr;
  MemoryType type_;
  uint64_t size_ = 0;  // bytes in use, readable and writable; the rest of the reservation faults
  uint64_t initial_ = 0;
  uint64_t page_cap_ = MaxPages;
  std::shared_ptr<const MemoryImage> image_;
  std::vector<Run> own_;      // what is written to below initial_, as of the reset before
  uint64_t faults_ = Never;   // the process's page faults just before own_ was found
};

}  // namespace krait::engine
