// What the parts of a sandbox's network share. Private to socket_pair.cpp and host_socket.cpp.
#pragma once

#include <poll.h>

#include "pyhost/socket.hpp"

namespace krait::pyhost {

struct Network::Shared {
  std::shared_ptr<const NetPolicy> policy;
  std::vector<NetPolicy::Known> known;
  uint32_t max_sockets = 0, sockets = 0;
  uint64_t unread = 0;  ///< bytes in pairs and pipes
};

}  // namespace krait::pyhost
