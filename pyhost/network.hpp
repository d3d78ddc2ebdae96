// What the parts of a sandbox's network share. Private to socket_pair.cpp and host_socket.cpp.
#pragma once

#include <poll.h>

#include "pyhost/socket.hpp"

namespace krait::pyhost {

/// One socket's place among those of its sandbox and of all sandboxes.
class SocketPlace {
 public:
  /// MFile, NFile where there is none.
  static IoResult<SocketPlace> take(std::shared_ptr<Network::Shared> shared);
  SocketPlace(SocketPlace&&) = default;
  SocketPlace& operator=(SocketPlace&&) = delete;
  ~SocketPlace();
  [[nodiscard]] const std::shared_ptr<Network::Shared>& shared() const { return shared_; }

 private:
  explicit SocketPlace(std::shared_ptr<Network::Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Network::Shared> shared_;
};

struct Network::Shared {
  std::shared_ptr<const NetPolicy> policy;
  std::vector<NetPolicy::Known> known;
  uint32_t max_sockets = 0, sockets = 0;
  uint64_t unread = 0;  ///< bytes in pairs and pipes
};

}  // namespace krait::pyhost
