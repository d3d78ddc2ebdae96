// The addresses of a name, as the system's files and name servers have them.
#pragma once

#include <string>
#include <vector>

#include "pyhost/net_policy.hpp"
#include "pyhost/wait.hpp"
#include "pyhost/wasi_types.hpp"

namespace krait::pyhost {

struct NamesFound {
  std::vector<SocketAddress> addresses;
  Errno error = Errno::Success;  ///< NoEnt: there is no such name; Again: nobody answered; Intr: the wait was cut short
};
/// `servers`: "ADDRESS[:PORT],..." instead of the system's name servers; empty: those. Waits by the Waiter, at most some 20 s; takes some
/// descriptors meanwhile.
NamesFound look_up_name(const std::string& name, const std::string& servers, Waiter& waiter);
/// Whether `servers` is of that form.
bool are_name_servers(const std::string& servers);

}  // namespace krait::pyhost
