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

  /// A place for one more socket: Success, or which bound is reached.
  Errno take_place() {
    if (sockets >= max_sockets) return Errno::MFile;
    if (!policy->take_place()) return Errno::NFile;
    sockets++;
    return Errno::Success;
  }
  void give_place_back() {
    sockets--;
    policy->give_place_back();
  }
};

}  // namespace krait::pyhost
