// Which addresses a sandbox may reach, and which ports it may listen on. Without a policy: none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace krait::pyhost {

/// As it lies in guest memory, too (guest/krait_socket.h).
struct SocketAddress {
  uint16_t family = 0;  ///< 4, 6; 0: none
  uint16_t port = 0;
  uint32_t scope = 0;
  std::array<uint8_t, 16> bytes{};  ///< in network order; 4 of them for IPv4

  bool operator==(const SocketAddress&) const = default;
  /// The same host; an IPv4 address in IPv6 form is that IPv4 address.
  [[nodiscard]] bool same_host(const SocketAddress& other) const;
  [[nodiscard]] SocketAddress plain() const;
  /// Of the global internet: not loopback, private, link-local, multicast, reserved, nor such an IPv4 address in a form of IPv6.
  [[nodiscard]] bool is_public() const;
  [[nodiscard]] bool is_loopback() const;
};
static_assert(sizeof(SocketAddress) == 24);

/// Immutable; any thread.
class NetPolicy {
 public:
  /// "HOST:PORT,...": HOST is a name, an IPv4 address, an IPv6 address in brackets, or *; PORT a number or *. A name's and *'s
  /// addresses count only where they are public; those of this machine and of private networks are named by number, loopback as
  /// localhost too. An error names the part that is wrong.
  Result<void> allow_connect(std::string_view text);
  /// "PORT,...": 0 is any port that is free, of the system's choice; * is all. On all of the machine's addresses.
  Result<void> allow_listen(std::string_view text);

  /// A name and one of its addresses, as found by a sandbox.
  struct Known {
    std::string name;
    SocketAddress address;
  };
  /// To an address, or to what a name that was looked up gave.
  [[nodiscard]] bool may_connect(const SocketAddress& to, const std::vector<Known>& known) const;
  /// Whether some rule is about `name`: others are not looked up, since a look-up tells who serves it.
  [[nodiscard]] bool may_resolve(std::string_view name) const;
  [[nodiscard]] bool may_listen(uint16_t port) const;

 private:
  struct Rule {
    std::string name;  // lower case; "*"; empty: `address` is meant
    SocketAddress address;
    int port = -1;  // -1: any
  };
  std::vector<Rule> rules_;
  std::vector<uint16_t> listen_;
  bool listen_on_all_ = false;
};

}  // namespace krait::pyhost
