// Sockets of this machine: always non-blocking here, whatever the guest sees; waits are the Waiter's. Each address is checked in the call
// that acts on it, on the host's own copy of it.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pyhost/network.hpp"

namespace krait::pyhost {
namespace {

/// At most so many names and addresses are remembered; more are forgotten, the oldest first.
constexpr size_t MaxKnown = 256;

IoResult<void> checked(int result) {
  if (result < 0) return errno_from_host(errno);
  return {};
}

struct HostAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  HostAddress() = default;
  explicit HostAddress(const SocketAddress& from) {
    if (from.family == 4) {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_port = htons(from.port);
      std::memcpy(&in.sin_addr, from.bytes.data(), 4);
      std::memcpy(&storage, &in, size = sizeof in);
    } else {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(from.port);
      in.sin6_scope_id = from.scope;
      std::memcpy(&in.sin6_addr, from.bytes.data(), 16);
      std::memcpy(&storage, &in, size = sizeof in);
    }
  }
  [[nodiscard]] SocketAddress ours() const {
    SocketAddress to;
    if (size >= sizeof(sockaddr_in) && storage.ss_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, &storage, sizeof in);
      to.family = 4, to.port = ntohs(in.sin_port);
      std::memcpy(to.bytes.data(), &in.sin_addr, 4);
    } else if (size >= sizeof(sockaddr_in6) && storage.ss_family == AF_INET6) {
      sockaddr_in6 in{};
      std::memcpy(&in, &storage, sizeof in);
      to.family = 6, to.port = ntohs(in.sin6_port), to.scope = in.sin6_scope_id;
      std::memcpy(to.bytes.data(), &in.sin6_addr, 16);
    }
    return to;
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

class HostSocket final : public Socket {
 public:
  HostSocket(std::shared_ptr<Network::Shared> shared, int fd, uint16_t family, FileType type)
      : shared_(std::move(shared)), fd_(fd), family_(family), type_(type) {
    shared_->sockets++;
  }
  ~HostSocket() override {
    ::close(fd_);
    shared_->sockets--;
  }
  [[nodiscard]] FileType type() const override { return type_; }
  [[nodiscard]] int poll_fd() const override { return fd_; }
  [[nodiscard]] uint64_t available() override {
    int bytes = 0;
    return ioctl(fd_, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
  }

  IoResult<uint64_t> receive(std::span<const iovec> to, bool peek, SocketAddress* from) override {
    HostAddress sender;
    msghdr message = of(to);
    if (from) message.msg_name = sender.get(), message.msg_namelen = sender.size;
    const ssize_t n = ::recvmsg(fd_, &message, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    if (n < 0) return errno_from_host(errno);
    if (from) {
      sender.size = message.msg_namelen;
      *from = sender.size == 0 ? SocketAddress{} : sender.ours();
    }
    return static_cast<uint64_t>(n);
  }

  IoResult<uint64_t> send(std::span<const iovec> from, const SocketAddress* to) override {
    HostAddress receiver;
    msghdr message = of(from);
    if (to) {
      if (type_ == FileType::SocketStream) return Errno::IsConn;
      if (!shared_->policy->may_connect(*to, shared_->known)) return Errno::Access;
      receiver = HostAddress(*to);
      message.msg_name = receiver.get(), message.msg_namelen = receiver.size;
    }
    const ssize_t n = ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno_from_host(errno);
    return static_cast<uint64_t>(n);
  }

  IoResult<void> shutdown(bool reads, bool writes) override { return checked(::shutdown(fd_, reads && writes ? SHUT_RDWR : reads ? SHUT_RD : SHUT_WR)); }

  IoResult<void> bind(const SocketAddress& to) override {
    if (to.family != family_) return Errno::AfNoSupport;
    if (!shared_->policy->may_listen(to.port)) return Errno::Access;
    HostAddress address(to);
    auto done = checked(::bind(fd_, address.get(), address.size));
    bound_ = bound_ || done.ok();
    return done;
  }

  IoResult<void> connect(const SocketAddress& to) override {
    if (to.family != family_) return Errno::AfNoSupport;
    if (!shared_->policy->may_connect(to, shared_->known)) return Errno::Access;
    HostAddress address(to);
    return checked(::connect(fd_, address.get(), address.size));
  }

  IoResult<void> listen(int backlog) override {
    if (!bound_ && !shared_->policy->may_listen(0)) return Errno::Access;  // it would take a free port
    return checked(::listen(fd_, std::clamp(backlog, 0, 1024)));
  }

  IoResult<std::shared_ptr<Socket>> accept(SocketAddress& from) override {
    if (shared_->sockets >= shared_->max_sockets) return Errno::MFile;
    HostAddress sender;
    const int fd = ::accept4(fd_, sender.get(), &sender.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return errno_from_host(errno);
    from = sender.ours();
    return std::shared_ptr<Socket>(std::make_shared<HostSocket>(shared_, fd, family_, type_));
  }

  IoResult<SocketAddress> address(bool peer) override {
    HostAddress name;
    if ((peer ? ::getpeername(fd_, name.get(), &name.size) : ::getsockname(fd_, name.get(), &name.size)) < 0) return errno_from_host(errno);
    return name.ours();
  }

  IoResult<int32_t> option(SocketOption option) override {
    if (option == SocketOption::Family) return int32_t{family_};
    if (option == SocketOption::Type) return static_cast<int32_t>(type_);
    int level = 0, name = 0, value = 0;
    socklen_t size = sizeof value;
    if (!find(option, level, name)) return Errno::NoProtoOpt;
    if (getsockopt(fd_, level, name, &value, &size) < 0) return errno_from_host(errno);
    return option == SocketOption::Error && value != 0 ? static_cast<int32_t>(errno_from_host(value)) : value;
  }

  IoResult<void> set_option(SocketOption option, int32_t value) override {
    int level = 0, name = 0;
    if (option == SocketOption::Error || option == SocketOption::Accepting || !find(option, level, name)) return Errno::NoProtoOpt;
    if (option == SocketOption::SendBuffer || option == SocketOption::ReceiveBuffer) value = std::clamp(value, 0, 1 << 20);  // the kernel's memory
    return checked(setsockopt(fd_, level, name, &value, sizeof value));
  }

 private:
  static msghdr of(std::span<const iovec> buffers) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(buffers.data());
    message.msg_iovlen = buffers.size();
    return message;
  }
  static bool find(SocketOption option, int& level, int& name) {
    level = SOL_SOCKET;
    switch (option) {
      case SocketOption::Error: name = SO_ERROR; return true;
      case SocketOption::ReuseAddress: name = SO_REUSEADDR; return true;
      case SocketOption::KeepAlive: name = SO_KEEPALIVE; return true;
      case SocketOption::Broadcast: name = SO_BROADCAST; return true;
      case SocketOption::SendBuffer: name = SO_SNDBUF; return true;
      case SocketOption::ReceiveBuffer: name = SO_RCVBUF; return true;
      case SocketOption::Accepting: name = SO_ACCEPTCONN; return true;
      case SocketOption::NoDelay: level = IPPROTO_TCP, name = TCP_NODELAY; return true;
      case SocketOption::V6Only: level = IPPROTO_IPV6, name = IPV6_V6ONLY; return true;
      default: return false;
    }
  }

  std::shared_ptr<Network::Shared> shared_;
  const int fd_;
  const uint16_t family_;
  const FileType type_;
  bool bound_ = false;
};

}  // namespace

Network::Network(std::shared_ptr<const NetPolicy> policy, uint32_t max_sockets) : shared_(std::make_shared<Shared>()) {
  shared_->policy = std::move(policy);
  shared_->max_sockets = max_sockets;
}

IoResult<std::shared_ptr<Socket>> Network::open(uint16_t family, FileType type) {
  used_ = true;
  if (!shared_->policy || shared_->max_sockets == 0) return Errno::Access;
  if (family != 4 && family != 6) return Errno::AfNoSupport;
  if (type != FileType::SocketStream && type != FileType::SocketDgram) return Errno::ProtoType;
  if (shared_->sockets >= shared_->max_sockets) return Errno::MFile;
  const int kind = type == FileType::SocketStream ? SOCK_STREAM : SOCK_DGRAM;
  const int fd = ::socket(family == 4 ? AF_INET : AF_INET6, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno_from_host(errno);
  return std::shared_ptr<Socket>(std::make_shared<HostSocket>(shared_, fd, family, type));
}

Errno Network::may_look_up(const std::string& name) {
  used_ = true;
  return shared_->policy && shared_->max_sockets != 0 && shared_->policy->may_resolve(name) ? Errno::Success : Errno::Access;
}

Network::Found Network::look_up(const std::string& name) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  Found found;
  switch (getaddrinfo(name.c_str(), nullptr, &hints, &list)) {
    case 0: break;
    case EAI_AGAIN: found.error = Errno::Again; return found;
    default: found.error = Errno::NoEnt; return found;
  }
  for (const addrinfo* one = list; one; one = one->ai_next) {
    HostAddress address;
    address.size = std::min<socklen_t>(one->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, one->ai_addr, address.size);
    if (const SocketAddress ours = address.ours(); ours.family != 0) found.addresses.push_back(ours);
  }
  freeaddrinfo(list);
  if (found.addresses.empty()) found.error = Errno::NoEnt;
  return found;
}

void Network::learn(const std::string& name, const Found& found) {
  auto& known = shared_->known;
  for (const SocketAddress& address : found.addresses) {
    const bool have = std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == name && one.address.same_host(address); });
    if (!have) known.push_back({name, address});
  }
  if (known.size() > MaxKnown) known.erase(known.begin(), known.end() - MaxKnown);
}

}  // namespace krait::pyhost
