// Sockets. Results as in file.hpp; close and poll are there too.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "io/closure.hpp"
#include "io/time.hpp"

namespace krait::io {

/// A listening TCP socket on a numeric IPv4 or IPv6 `address`; port 0 takes a free one. Does not
/// park.
Result<int> listen_tcp(const char* address, uint16_t port, int backlog = 1024);
/// The port that a TCP socket is bound to, or a negative errno.
int local_port(int fd);
/// A TCP socket connected to a numeric address.
int connect_tcp(const char* address, uint16_t port, Deadline deadline = {});
/// Turns Nagle's algorithm off.
void set_no_delay(int fd);

/// The next connection's descriptor; O_CLOEXEC.
int accept(int fd, Deadline deadline = {});
int connect(int fd, const sockaddr* address, socklen_t size, Deadline deadline = {});
/// Bytes, 0 at the end of the stream.
int recv(int fd, void* buffer, size_t size, int flags = 0, Deadline deadline = {});
/// Bytes that were taken, perhaps not all. Never raises SIGPIPE.
int send(int fd, const void* buffer, size_t size, int flags = 0, Deadline deadline = {});
/// Sends all: 0, or an error after some part was sent.
int send_all(int fd, std::string_view bytes, Deadline deadline = {});
int recvmsg(int fd, msghdr& message, int flags = 0, Deadline deadline = {});
int sendmsg(int fd, const msghdr& message, int flags = 0, Deadline deadline = {});
int shutdown(int fd, int how, Deadline deadline = {});

/// Accepts many connections with one operation that stays in the kernel (where it has that).
/// Connections that wait to be taken are bounded: past `backlog` the operation is taken back and
/// the kernel's own queue fills, until next() has caught up. Belongs to one shard; made, used and
/// destroyed in its coroutines.
class Acceptor {
 public:
  /// `fd` stays the caller's and must outlive it.
  explicit Acceptor(int fd, size_t backlog = 64);
  /// Waits for the kernel to let go; closes what was not taken.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  /// The next connection's descriptor. One caller at a time.
  int next(Deadline deadline = {});

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Receives on a stream socket with one operation that stays in the kernel (where it has that),
/// into buffers that all connections of the shard share: one that waits holds no memory for it.
/// What has come and was not asked for is bounded: past a few buffers the operation is taken back
/// until recv() has caught up. Belongs to one shard; made, used and destroyed in its coroutines.
class Receiver {
 public:
  /// `fd` stays the caller's and must outlive it.
  explicit Receiver(int fd);
  /// Waits for the kernel to let go.
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  /// As io::recv. One caller at a time.
  int recv(void* buffer, size_t size, Deadline deadline = {});

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Tells once when the other side of a stream socket has ended its stream or is gone. Belongs to one
/// shard; made and destroyed in its coroutines.
class HangupWatch {
 public:
  /// `fd` stays the caller's and must outlive it. `on_hangup` runs on the shard's loop: it must not
  /// wait.
  HangupWatch(int fd, Closure on_hangup);
  /// Waits for the kernel to let go.
  ~HangupWatch();
  HangupWatch(const HangupWatch&) = delete;
  HangupWatch& operator=(const HangupWatch&) = delete;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace krait::io
