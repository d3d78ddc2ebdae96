// Every wait looks first and parks second: what is ready at once costs one system call and no switch.
//
// Reads of files are tried with RWF_NOWAIT, which gives what is in the page cache and refuses what would wait for a disk; only
// that goes through the ring. Few file systems take writes so: small ones go into the page cache directly, large ones, which may
// be held back while others' pages are written out, through the ring.
#include "pyhost/io_waiter.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <vector>

#include "io/file.hpp"
#include "io/shard.hpp"

namespace krait::pyhost {
namespace {

constexpr size_t DirectWrite = size_t{64} << 10;
/// A wait by the wall clock looks at it so often: it may be set meanwhile.
constexpr uint64_t WallClockStep = 1'000'000'000;
/// A guest in memory.atomic.wait looks so often whether it was notified.
constexpr std::chrono::microseconds AtomicWaitStep{500};

io::Deadline io_deadline(Deadline deadline) {
  uint64_t left = deadline.left();
  if (deadline.clock != CLOCK_MONOTONIC) left = std::min(left, WallClockStep);
  return io::Deadline::in(static_cast<int64_t>(std::min<uint64_t>(left, INT64_MAX)));
}

size_t size_of(std::span<const iovec> buffers) {
  size_t size = 0;
  for (const iovec& one : buffers) size += one.iov_len;
  return size;
}

/// A read that gave less than was asked for: whether there is more in the file.
bool more_in_file(int fd, std::optional<uint64_t> offset, int64_t got) {
  struct stat s{};
  if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return false;
  const int64_t at = offset ? static_cast<int64_t>(*offset) + got : lseek(fd, 0, SEEK_CUR);
  return at >= 0 && at < s.st_size;
}

}  // namespace

template <typename F>
int IoWaiter::park(F wait) {
  on_park();
  const int result = wait();
  on_resume();
  return result;
}

/// Whether a wait ended by itself. -EINTR: somebody ended this one wait (Coroutine::interrupt_wait). -ETIMEDOUT is also what a file
/// server that does not answer gives, and a wait with a timeout of its own: then it is the guest's to see.
bool IoWaiter::woken(int result) {
  const bool ended = result == -ECANCELED || (result == -ETIMEDOUT && io::current()->deadline().passed());
  if (ended && store_) on_cancel(*store_);
  return !ended && result != -EINTR;
}

int64_t IoWaiter::moved(int result) { return woken(result) ? result : -ECANCELED; }

bool IoWaiter::sleep_until(Deadline deadline) {
  do {
    const int result = park([&] { return io::sleep_until(io_deadline(deadline)); });
    if (!woken(result)) return false;
  } while (deadline.left() != 0);
  return true;
}

bool IoWaiter::poll(std::span<pollfd> fds, std::optional<Deadline> deadline) {
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), 0);
    if (ready < 0 && errno != EINTR) {  // EINVAL, ENOMEM: nothing is known to be ready
      for (pollfd& fd : fds) fd.revents = POLLERR;
      return true;
    }
    if (ready > 0 || (deadline && deadline->left() == 0)) return true;
    const io::Deadline until = deadline ? io_deadline(*deadline) : io::Deadline();
    const int result = park([&] { return io::poll(fds, until); });
    if (result > 0) return true;
    if (result == -ETIMEDOUT && until.passed()) continue;  // over, or a step of the wall clock's
    if (!woken(result)) return false;
  }
}

bool IoWaiter::before_transfer(int fd, short events) {
  pollfd one{fd, events, 0};
  return poll({&one, 1}, std::nullopt);
}

void IoWaiter::yield() {
  if (park([] { return io::yield(); }) == -ECANCELED && store_) on_cancel(*store_);
}

int64_t IoWaiter::read(int fd, std::span<const iovec> to, std::optional<uint64_t> offset) {
  const off_t at = offset ? static_cast<off_t>(*offset) : -1;
  const int64_t got = preadv2(fd, to.data(), static_cast<int>(to.size()), at, RWF_NOWAIT);
  const bool enough = got >= 0 && (static_cast<size_t>(got) == size_of(to) || !more_in_file(fd, offset, got));
  if (enough) return got;
  if (got < 0 && errno != EAGAIN && errno != EOPNOTSUPP) return -errno;
  if (got > 0) {
    // Half of it was at hand: the guest gets it all, as from a file that was read before.
    std::vector<iovec> rest(to.begin(), to.end());
    size_t skip = static_cast<size_t>(got);
    size_t first = 0;
    while (skip >= rest[first].iov_len) skip -= rest[first++].iov_len;
    rest[first].iov_base = static_cast<std::byte*>(rest[first].iov_base) + skip;
    rest[first].iov_len -= skip;
    const std::span<const iovec> left = std::span(rest).subspan(first);
    const int more = park([&] {
      return offset ? io::preadv(fd, left, *offset + static_cast<uint64_t>(got)) : io::readv(fd, left);
    });
    return woken(more) && more > 0 ? got + more : got;
  }
  return moved(park([&] { return offset ? io::preadv(fd, to, *offset) : io::readv(fd, to); }));
}

int64_t IoWaiter::write(int fd, std::span<const iovec> from, std::optional<uint64_t> offset) {
  struct stat s{};
  const bool regular = fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
  if (regular && size_of(from) < DirectWrite) return Waiter::write(fd, from, offset);
  return moved(park([&] { return offset ? io::pwritev(fd, from, *offset) : io::writev(fd, from); }));
}

int IoWaiter::sync(int fd, bool data_only) {
  return static_cast<int>(moved(park([&] { return data_only ? io::fdatasync(fd) : io::fsync(fd); })));
}

int IoWaiter::wait_with(const std::function<int()>& wait) {
  const int result = park([&] { return wait(); });
  (void)woken(result);
  return result;
}

void IoWaiter::enter(engine::Store& store) {
  if (depth_++ != 0) return;
  coroutine_ = io::current();
  assert(coroutine_);
  store_ = &store;
  store.set_native_stack_limit(coroutine_->stack_limit() + HostStack);
  store.on_yield = [this] { end_slice(); };
  coroutine_->set_slice_listener(this);
}

void IoWaiter::leave(engine::Store& store) {
  if (--depth_ != 0) return;
  coroutine_->set_slice_listener(nullptr);
  store.on_yield = nullptr;
  store_ = nullptr;
  coroutine_ = nullptr;
}

void IoWaiter::end_slice() {
  if (coroutine_->shard().slice_flag()->load(std::memory_order_relaxed) != 0) return yield();
  // A guest in memory.atomic.wait, which has nothing to do before another's notify; or, rarely, the ticker told us just when the
  // slice had ended by a wait.
  (void)woken(park([] { return io::sleep_for(AtomicWaitStep); }));
}

}  // namespace krait::pyhost
