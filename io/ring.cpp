// The ring is asked for all that Linux 6.1 has (one submitter, completions only when we ask) and
// steps down flag by flag. TASKRUN_FLAG lets a busy shard see in shared memory whether the kernel
// has something for it: no system call if not.
//
// user_data is the Completion's address; its low bit marks the answer to a cancel; 0 is for nobody.
#include "io/ring.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace krait::io {

namespace {

constexpr unsigned Levels[Ring::MaxLevel + 1] = {
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,  // Linux 6.1
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_COOP_TASKRUN,                                       // 5.19
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL,  // 5.18
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,                            // 5.6
};

// What io/ cannot do without; the rest has another way (file.cpp).
constexpr struct {
  unsigned opcode;
  const char* name;
} Required[] = {
    {IORING_OP_READ, "READ"},       {IORING_OP_WRITE, "WRITE"},
    {IORING_OP_READV, "READV"},     {IORING_OP_WRITEV, "WRITEV"},
    {IORING_OP_FSYNC, "FSYNC"},     {IORING_OP_POLL_ADD, "POLL_ADD"},
    {IORING_OP_ACCEPT, "ACCEPT"},   {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
    {IORING_OP_CONNECT, "CONNECT"}, {IORING_OP_OPENAT2, "OPENAT2"},
    {IORING_OP_CLOSE, "CLOSE"},     {IORING_OP_STATX, "STATX"},
    {IORING_OP_SEND, "SEND"},       {IORING_OP_RECV, "RECV"},
    {IORING_OP_SENDMSG, "SENDMSG"}, {IORING_OP_RECVMSG, "RECVMSG"},
};

// The buffers' ring, one page for 256 entries, and the buffers.
constexpr size_t BufferRingBytes = Ring::BufferCount * sizeof(io_uring_buf);
constexpr size_t BuffersMapped = BufferRingBytes + size_t{Ring::BufferCount} * Ring::BufferSize;

constexpr unsigned MaxReap = 2048;  // completions handed out before coroutines get to run

Error setup_error(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return {
          "io_uring is forbidden to this process: see kernel.io_uring_disabled and the container's "
          "seccomp profile"};
    case ENOSYS:
      return {"this kernel has no io_uring: Linux 5.6 or newer is needed"};
    case ENOMEM:
      return {"no memory for an io_uring: raise the locked-memory limit (ulimit -l)"};
    default:
      return {std::string("io_uring cannot be set up: ") + std::strerror(error)};
  }
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::create(unsigned entries, unsigned level, uint64_t without) {
  std::unique_ptr<Ring> ring(new Ring);
  int error = -EINVAL;
  for (; level <= MaxLevel && error == -EINVAL; ++level) {
    io_uring_params params = {};
    params.flags = Levels[level];
    params.cq_entries = entries * 4;
    error = io_uring_queue_init_params(entries, &ring->ring_, &params);
    ring->level_ = level;
  }
  if (error != 0) {
    ring->ring_.ring_fd = -1;
    return setup_error(-error);
  }
  io_uring_ring_dontfork(&ring->ring_);
  io_uring_register_ring_fd(
      &ring->ring_);  // only saves a table look-up per call; refused by older kernels
  if (auto probed = ring->probe(without); !probed) return probed.error();
  return ring;
}

Ring::~Ring() {
  if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
  if (buffer_ring_) munmap(buffer_ring_, BuffersMapped);
}

Result<void> Ring::probe(uint64_t without) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
  if (!probe) return Error{"this kernel's io_uring is too old: Linux 5.6 or newer is needed"};
  // Up to what fits: the kernel may be newer than the header.
  for (int opcode = 0; opcode < 64; ++opcode) {
    if (io_uring_opcode_supported(probe, opcode)) supported_ |= uint64_t{1} << opcode;
  }
  supported_ &= ~without;
  io_uring_free_probe(probe);
  std::string missing;
  for (const auto& required : Required) {
    if (!supports(required.opcode)) missing += std::string(" ") + required.name;
  }
  if (!missing.empty()) return Error{"this kernel's io_uring is too old, it lacks" + missing};
  // Came with 5.19, as SOCKET did, which can be probed.
  multishot_accept_ = supports(IORING_OP_SOCKET);
  return {};
}

io_uring_sqe* Ring::prepare() {
  io_uring_sqe* sqe;
  while (!(sqe = io_uring_get_sqe(&ring_))) {
    const int submitted = io_uring_submit(&ring_);
    // The completion queue is full: what is in it must out, but not into the middle of whoever is
    // calling.
    if (submitted == -EBUSY || submitted == -EAGAIN) {
      take_all([this](const Entry& entry) { backlog_.push_back(entry); });
    }
  }
  return sqe;
}

void Ring::cancel(Completion& completion) {
  io_uring_sqe* sqe = prepare();
  io_uring_prep_cancel64(sqe, reinterpret_cast<uint64_t>(&completion), 0);
  sqe->user_data = reinterpret_cast<uint64_t>(&completion) | CancelTag;
}

bool Ring::provide_buffers() {
  if (buffer_ring_ || buffers_refused_) return buffer_ring_ != nullptr;
  buffers_refused_ = true;
  // SEND_ZC came with multishot receive, in 6.0, and can be probed.
  if (!supports(IORING_OP_SEND_ZC)) return false;
  void* mapped =
      mmap(nullptr, BuffersMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uint64_t>(mapped);
  registration.ring_entries = BufferCount;
  registration.bgid = BufferGroup;
  if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) {
    munmap(mapped, BuffersMapped);
    return false;
  }
  buffers_refused_ = false;
  buffer_ring_ = static_cast<io_uring_buf_ring*>(mapped);
  buffers_ = static_cast<std::byte*>(mapped) + BufferRingBytes;
  io_uring_buf_ring_init(buffer_ring_);
  for (unsigned id = 0; id < BufferCount; ++id) recycle(id);
  return true;
}

void Ring::recycle(unsigned id) {
  io_uring_buf_ring_add(buffer_ring_, buffers_ + size_t{id} * BufferSize, BufferSize,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(BufferCount), 0);
  io_uring_buf_ring_advance(buffer_ring_, 1);
}

void Ring::submit() { io_uring_submit(&ring_); }

void Ring::enter(bool wait, Deadline until) {
  if (!wait || !backlog_.empty()) {
    const unsigned flags = __atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED);
    if (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) {
      io_uring_submit_and_get_events(&ring_);
    } else if (io_uring_sq_ready(&ring_) != 0) {
      io_uring_submit(&ring_);
    }
    return;
  }
  if (until.is_never()) {
    io_uring_submit_and_wait(&ring_, 1);
    return;
  }
  io_uring_cqe* first = nullptr;
  int64_t left = until.ns() - now_ns();
  if (left < 0) left = 0;
  __kernel_timespec timeout = {left / 1'000'000'000, left % 1'000'000'000};
  io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
}

void Ring::dispatch(const Entry& entry) {
  // LIBURING_UDATA_TIMEOUT: how liburing waits with a timeout on kernels before 5.11.
  if (entry.user_data == 0 || entry.user_data == LIBURING_UDATA_TIMEOUT) return;
  auto* completion = reinterpret_cast<Completion*>(entry.user_data & ~CancelTag);
  if (entry.user_data & CancelTag) {
    completion->on_cancelled(entry.result);
  } else {
    completion->on_complete(entry.result, entry.flags);
  }
}

template <typename F>
unsigned Ring::take_all(F&& take) {
  constexpr unsigned Chunk = 64;
  io_uring_cqe* cqes[Chunk];
  Entry entries[Chunk];
  unsigned count = 0, got;
  do {
    got = io_uring_peek_batch_cqe(&ring_, cqes, Chunk);
    for (unsigned i = 0; i < got; ++i)
      entries[i] = {cqes[i]->user_data, cqes[i]->res, cqes[i]->flags};
    // Before anything is called: a handler may prepare(), which may itself take entries out.
    io_uring_cq_advance(&ring_, got);
    for (unsigned i = 0; i < got; ++i) take(entries[i]);
    count += got;
  } while (got == Chunk && count < MaxReap);
  return count;
}

unsigned Ring::reap() {
  unsigned count = static_cast<unsigned>(backlog_.size());
  // An entry's handler may prepare(), and so add to the backlog.
  for (size_t i = 0; i < backlog_.size(); ++i) dispatch(Entry(backlog_[i]));
  backlog_.clear();
  return count + take_all(dispatch);
}

}  // namespace krait::io
