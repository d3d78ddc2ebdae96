// Sockets of a guest: ends of pairs and pipes in memory, and sockets of this machine where a policy allows them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pyhost/net_policy.hpp"
#include "pyhost/vfs.hpp"

namespace krait::pyhost {

enum class SocketOption : uint32_t {
  Error, ReuseAddress, KeepAlive, Broadcast, SendBuffer, ReceiveBuffer, Accepting, NoDelay, V6Only, Family, Type
};

/// A File that never waits: Again says that it would. What is not overridden is NotSup or NotConn.
class Socket : public File {
 public:
  Socket* as_socket() final { return this; }
  IoResult<uint64_t> read(std::span<const iovec> to) override { return receive(to, false, nullptr); }
  IoResult<uint64_t> write(std::span<const iovec> from) override { return send(from, nullptr); }
  IoResult<FileStat> stat() override { return FileStat{}; }
  [[nodiscard]] uint16_t flags() override { return flags_; }
  IoResult<void> set_flags(uint16_t flags) override {
    flags_ = flags & fd_flag::Nonblock;
    return {};
  }

  /// `from`, where not null, becomes the sender's address, or none.
  virtual IoResult<uint64_t> receive(std::span<const iovec> to, bool peek, SocketAddress* from) = 0;
  virtual IoResult<uint64_t> send(std::span<const iovec> from, const SocketAddress* to) = 0;
  virtual IoResult<void> shutdown(bool reads, bool writes) = 0;
  virtual IoResult<void> bind(const SocketAddress&) { return Errno::NotSup; }
  /// InProgress: poll_fd() becomes writable, and then Error says how it went.
  virtual IoResult<void> connect(const SocketAddress&) { return Errno::NotSup; }
  virtual IoResult<void> listen(int) { return Errno::NotSup; }
  virtual IoResult<std::shared_ptr<Socket>> accept(SocketAddress&) { return Errno::Inval; }
  virtual IoResult<SocketAddress> address(bool peer) { return peer ? IoResult<SocketAddress>(SocketAddress{}) : SocketAddress{}; }
  virtual IoResult<int32_t> option(SocketOption option);
  virtual IoResult<void> set_option(SocketOption, int32_t) { return {}; }

 protected:
  uint16_t flags_ = 0;
};

/// What a sandbox holds of the network: its policy, the names that it looked up, and its bounds. One thread at a time.
class Network {
 public:
  static constexpr uint64_t PairBytes = uint64_t{8} << 20;  ///< unread in all of a sandbox's pairs and pipes
  /// `policy` null: no sockets but pairs.
  Network(std::shared_ptr<const NetPolicy> policy, uint32_t max_sockets);

  using Ends = std::pair<std::shared_ptr<File>, std::shared_ptr<File>>;
  /// The reading end first.
  [[nodiscard]] Ends pipe();
  [[nodiscard]] Ends pair(FileType type);
  /// Access without a policy, MFile beyond the bound.
  IoResult<std::shared_ptr<Socket>> open(uint16_t family, FileType type);
  /// The addresses of `name`, which from now on may be connected to. Blocks the thread: on one of its own, `look_up` is that
  /// part, then learn().
  struct Found {
    std::vector<SocketAddress> addresses;
    Errno error = Errno::Success;
  };
  [[nodiscard]] Errno may_look_up(const std::string& name);
  static Found look_up(const std::string& name);
  void learn(const std::string& name, const Found& found);
  /// Whether anything outside was asked for.
  [[nodiscard]] bool used() const { return used_; }

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
  bool used_ = false;
};

}  // namespace krait::pyhost
