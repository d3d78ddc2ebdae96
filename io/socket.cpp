// Sockets on the ring. The multishot accept and the watch for a hang-up outlive their calls: they
// are StandingOps.
#include "io/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <string>

#include "io/blocking.hpp"
#include "io/file.hpp"
#include "io/ring_op.hpp"
#include "io/standing_op.hpp"

namespace krait::io {

namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address parse_address(const char* text, uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  }
  return address;
}

size_t cut(size_t size) { return std::min<size_t>(size, INT_MAX); }

}  // namespace

Result<int> listen_tcp(const char* address, uint16_t port, int backlog) {
  const Address parsed = parse_address(address, port);
  if (parsed.size == 0) return Error{std::string(address) + " is no numeric IP address"};
  const auto failed = [&](int fd) {
    Error error{"cannot listen on " + std::string(address) + " port " + std::to_string(port) +
                ": " + std::strerror(errno)};
    if (fd >= 0) ::close(fd);
    return error;
  };
  const int fd = socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(fd);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, parsed.get(), parsed.size) != 0 || listen(fd, backlog) != 0) return failed(fd);
  return fd;
}

int local_port(int fd) {
  Address address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    return -errno;
  if (address.storage.ss_family == AF_INET)
    return ntohs(reinterpret_cast<sockaddr_in&>(address.storage).sin_port);
  if (address.storage.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port);
  return -EAFNOSUPPORT;
}

int connect_tcp(const char* address, uint16_t port, Deadline deadline) {
  const Address parsed = parse_address(address, port);
  if (parsed.size == 0) return -EINVAL;
  const int fd = socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int error = connect(fd, parsed.get(), parsed.size, deadline);
  if (error == 0) return fd;
  ::close(fd);
  return error;
}

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int accept(int fd, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_accept(op.sqe(), fd, nullptr, nullptr, SOCK_CLOEXEC);
  return op.wait(deadline);
}

int connect(int fd, const sockaddr* address, socklen_t size, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_connect(op.sqe(), fd, address, size);
  return op.wait(deadline);
}

int recv(int fd, void* buffer, size_t size, int flags, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_recv(op.sqe(), fd, buffer, cut(size), flags);
  return op.wait(deadline);
}

int send(int fd, const void* buffer, size_t size, int flags, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_send(op.sqe(), fd, buffer, cut(size), flags | MSG_NOSIGNAL);
  return op.wait(deadline);
}

int send_all(int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const int sent = send(fd, bytes.data(), bytes.size(), 0, deadline);
    if (sent < 0) return sent;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return 0;
}

int recvmsg(int fd, msghdr& message, int flags, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_recvmsg(op.sqe(), fd, &message, static_cast<unsigned>(flags));
  return op.wait(deadline);
}

int sendmsg(int fd, const msghdr& message, int flags, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_sendmsg(op.sqe(), fd, &message, static_cast<unsigned>(flags | MSG_NOSIGNAL));
  return op.wait(deadline);
}

int shutdown(int fd, int how, Deadline deadline) {
  // Shutting a socket down does not block; a kernel whose ring lacks it is asked directly.
  if (current() && !this_ring().supports(IORING_OP_SHUTDOWN))
    return ::shutdown(fd, how) == 0 ? 0 : -errno;
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_shutdown(op.sqe(), fd, how);
  return op.wait(deadline);
}

// -- Acceptor --

class Acceptor::State final : public StandingOp {
 public:
  State(int fd, size_t backlog) : fd_(fd), backlog_(std::max<size_t>(backlog, 1)) {}
  ~State() {
    for (const int fd : taken_) {
      if (fd >= 0) ::close(fd);
    }
  }

  int next(Deadline deadline) {
    while (taken_.empty()) {
      if (idle()) {
        if (const int error = check()) return error;
        begin();
      }
      if (const int error = wait(deadline)) return error;
    }
    const int result = taken_.front();
    taken_.pop_front();
    return result;
  }

  void on_entry(int result, uint32_t) override {
    if (result != -ECANCELED) taken_.push_back(result);
    if (armed() && taken_.size() >= backlog_) take_back();
  }

 private:
  void begin() {
    io_uring_sqe* sqe = arm();
    if (this_ring().multishot_accept()) {
      io_uring_prep_multishot_accept(sqe, fd_, nullptr, nullptr, SOCK_CLOEXEC);
    } else {
      io_uring_prep_accept(sqe, fd_, nullptr, nullptr, SOCK_CLOEXEC);
    }
    Ring::set_completion(sqe, this);
  }

  const int fd_;
  const size_t backlog_;
  std::deque<int> taken_;  // descriptors and errors, in the kernel's order
};

Acceptor::Acceptor(int fd, size_t backlog) : state_(std::make_unique<State>(fd, backlog)) {}

Acceptor::~Acceptor() { state_->stop(); }

int Acceptor::next(Deadline deadline) { return state_->next(deadline); }

// -- HangupWatch --

class HangupWatch::State final : public StandingOp {
 public:
  State(int fd, Closure on_hangup) : on_hangup_(std::move(on_hangup)) {
    if (check() != 0) return;  // cancelled: it is about to end anyway
    io_uring_sqe* sqe = arm();
    io_uring_prep_poll_add(sqe, fd, POLLRDHUP | POLLHUP | POLLERR);
    Ring::set_completion(sqe, this);
  }
  void on_entry(int result, uint32_t) override {
    if (result > 0) on_hangup_();
  }

 private:
  Closure on_hangup_;
};

HangupWatch::HangupWatch(int fd, Closure on_hangup)
    : state_(std::make_unique<State>(fd, std::move(on_hangup))) {}

HangupWatch::~HangupWatch() { state_->stop(); }

}  // namespace krait::io
