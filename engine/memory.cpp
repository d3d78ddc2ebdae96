// Linear memories on anonymous reservations.
//
// Invariants.
//  1. [base_, base_ + size_) is readable and writable, the rest of ReservedBytes faults.
//  2. Bytes below the image's size come from its file, copy-on-write; all others start as zero pages.
//  3. A shared memory never moves and never shrinks; growth is serialised by a lock of its own.
//  4. A page becomes the memory's own by a page fault, whoever takes it: a thread of ours, or the kernel's for a read into the guest.
//     So while the process has had no fault, own_ holds; no huge page may make own what nobody wrote.
#include "engine/memory.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace krait::engine {
namespace {

constexpr uint64_t HostPage = 4096;

std::mutex& shared_growth_mutex() {
  static std::mutex mutex;
  return mutex;
}

Error system_error(const char* what) { return Error{std::string(what) + ": " + std::strerror(errno)}; }

bool is_zero(const std::byte* p, size_t n) {
  return n == 0 || (p[0] == std::byte{0} && std::memcmp(p, p + 1, n - 1) == 0);
}

// The kernel's interface of <linux/fs.h> since 6.7; Debian 12's headers do not have it.
struct PageRegion { uint64_t start, end, categories; };
struct PageScan {
  uint64_t size = sizeof(PageScan), flags = 0, start = 0, end = 0, walk_end = 0, vec = 0, vec_len = 0, max_pages = 0;
  uint64_t category_inverted = 0, category_mask = 0, category_anyof_mask = 0, return_mask = 0;
};
constexpr unsigned long PagemapScan = _IOWR('f', 16, PageScan);
constexpr uint64_t PageIsFile = 1 << 2, PageIsPresent = 1 << 3, PageIsSwapped = 1 << 4, PageIsZeroPfn = 1 << 5;

/// What PAGEMAP_SCAN is asked of; -1 where it is not to be used. One that the kernel has not got fails when it is.
int pagemap_fd() {
  static const int fd = [] {
    const char* way = std::getenv("KRAIT_RESET");
    return way && std::strcmp(way, "madvise") == 0 ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  }();
  return fd;
}

/// Calls `visit(begin, end)` for each run of private pages that were written in [begin, end). False where the
/// kernel has no PAGEMAP_SCAN.
template <typename Visit>
bool scan_dirty(std::byte* begin, std::byte* end, Visit visit) {
  PageRegion regions[256];
  PageScan scan;
  scan.start = reinterpret_cast<uint64_t>(begin);
  scan.end = reinterpret_cast<uint64_t>(end);
  scan.vec = reinterpret_cast<uint64_t>(regions);
  scan.vec_len = std::size(regions);
  scan.category_inverted = PageIsFile | PageIsZeroPfn;
  scan.category_mask = PageIsFile | PageIsZeroPfn;
  scan.category_anyof_mask = PageIsPresent | PageIsSwapped;
  scan.return_mask = PageIsPresent;
  while (scan.start < scan.end) {
    const int found = ioctl(pagemap_fd(), PagemapScan, &scan);
    if (found < 0) return false;
    for (int i = 0; i < found; ++i)
      visit(reinterpret_cast<std::byte*>(regions[i].start), reinterpret_cast<std::byte*>(regions[i].end));
    scan.start = scan.walk_end;
  }
  return true;
}

/// How many page faults this process has had, on all its threads.
uint64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

}  // namespace

Result<std::shared_ptr<const MemoryImage>> MemoryImage::create(std::span<const std::byte> bytes) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  image->size_ = (bytes.size() + PageSize - 1) / PageSize * PageSize;
  image->fd_ = memfd_create("krait-image", MFD_CLOEXEC);
  if (image->fd_ < 0) return system_error("cannot make a memory image");
  if (ftruncate(image->fd_, static_cast<off_t>(image->size_)) != 0) return system_error("cannot size a memory image");
  for (size_t at = 0; at < bytes.size(); at += HostPage) {
    const size_t n = std::min<size_t>(HostPage, bytes.size() - at);
    if (is_zero(bytes.data() + at, n)) continue;
    if (pwrite(image->fd_, bytes.data() + at, n, static_cast<off_t>(at)) != static_cast<ssize_t>(n))
      return system_error("cannot fill a memory image");
  }
  if (image->size_) {
    void* view = mmap(nullptr, image->size_, PROT_READ, MAP_SHARED, image->fd_, 0);
    if (view == MAP_FAILED) return system_error("cannot map a memory image");
    image->view_ = static_cast<const std::byte*>(view);
  }
  return std::shared_ptr<const MemoryImage>(std::move(image));
}

Result<std::shared_ptr<const MemoryImage>> MemoryImage::map(int fd, uint64_t offset, uint64_t size) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  image->offset_ = offset;
  image->size_ = size;
  image->fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (image->fd_ < 0) return system_error("cannot keep a memory image open");
  if (size) {
    void* view = mmap(nullptr, size, PROT_READ, MAP_SHARED, image->fd_, static_cast<off_t>(offset));
    if (view == MAP_FAILED) return system_error("cannot map a memory image");
    image->view_ = static_cast<const std::byte*>(view);
  }
  return std::shared_ptr<const MemoryImage>(std::move(image));
}

MemoryImage::~MemoryImage() {
  if (view_) munmap(const_cast<std::byte*>(view_), size_);
  if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<Memory>> Memory::create(const MemoryType& type, uint64_t page_cap) {
  return create(type, page_cap, nullptr);
}

Result<std::unique_ptr<Memory>> Memory::create(const MemoryType& type, uint64_t page_cap,
                                               std::shared_ptr<const MemoryImage> image) {
  std::unique_ptr<Memory> memory(new Memory);
  memory->type_ = type;
  memory->page_cap_ = std::min({page_cap, MaxPages, type.limits.max.value_or(MaxPages)});
  const uint64_t initial = std::max(type.limits.min * PageSize, image ? image->size() : 0);
  if (initial > memory->page_cap_ * PageSize)
    return Error{"the module wants " + std::to_string(initial / PageSize) + " pages of memory, the limit is " +
                 std::to_string(memory->page_cap_)};
  void* base = mmap(nullptr, ReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return system_error("cannot reserve address space for a memory");
  memory->base_ = static_cast<std::byte*>(base);
  (void)madvise(base, ReservedBytes, MADV_NOHUGEPAGE);  // refused only where there are none
  memory->initial_ = memory->size_ = initial;
  const uint64_t mapped = image ? image->size() : 0;
  if (mapped && mmap(base, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, image->fd(),
                     static_cast<off_t>(image->offset())) == MAP_FAILED)
    return system_error("cannot map a memory image");
  if (mapped < initial && mprotect(memory->base_ + mapped, initial - mapped, PROT_READ | PROT_WRITE) != 0)
    return system_error("cannot commit a memory");
  if (mapped) memory->image_ = std::move(image);
  return memory;
}

Memory::~Memory() {
  if (base_) munmap(base_, ReservedBytes);
}

int64_t Memory::grow(uint64_t delta_pages) {
  std::unique_lock<std::mutex> lock;
  if (shared()) lock = std::unique_lock(shared_growth_mutex());
  const uint64_t old = size_;
  if (delta_pages > page_cap_ - old / PageSize) return -1;
  const uint64_t delta = delta_pages * PageSize;
  if (delta && mprotect(base_ + old, delta, PROT_READ | PROT_WRITE) != 0) return -1;
  __atomic_store_n(&size_, old + delta, __ATOMIC_RELEASE);
  return static_cast<int64_t>(old / PageSize);
}

Result<uint64_t> Memory::reset() {
  if (size_ > initial_) {
    // Give the growth back: its pages must read as zero, and fault until they are grown to again.
    if (madvise(base_ + initial_, size_ - initial_, MADV_DONTNEED) != 0 ||
        mprotect(base_ + initial_, size_ - initial_, PROT_NONE) != 0)
      return system_error("cannot reset a memory");
    size_ = initial_;
  }
  if (!find_own()) {
    if (initial_ && madvise(base_, initial_, MADV_DONTNEED) != 0) return system_error("cannot reset a memory");
    return 0;
  }
  const uint64_t image_bytes = image_ ? image_->size() : 0;
  uint64_t pages = 0;
  for (const auto& [first, count] : own_) {
    const uint64_t begin = uint64_t{first} * HostPage, end = begin + uint64_t{count} * HostPage;
    const uint64_t stop = std::clamp(image_bytes, begin, end);
    if (begin < stop) std::memcpy(base_ + begin, image_->bytes().data() + begin, stop - begin);
    if (stop < end) std::memset(base_ + stop, 0, end - stop);
    pages += count;
  }
  return pages;
}

/// False where the kernel cannot say.
bool Memory::find_own() {
  const uint64_t faults = page_faults();
  if (faults == faults_) return true;
  faults_ = faults;
  own_.clear();
  const bool scanned = scan_dirty(base_, base_ + initial_, [this](const std::byte* begin, const std::byte* end) {
    own_.push_back({static_cast<uint32_t>((begin - base_) / static_cast<ptrdiff_t>(HostPage)),
                    static_cast<uint32_t>((end - begin) / static_cast<ptrdiff_t>(HostPage))});
  });
  if (!scanned) faults_ = Never;
  return scanned;
}

}  // namespace krait::engine
