// The address that is checked is the address that is connected: a name's rule counts for the very addresses that this sandbox's
// own look-up gave, and never for private ones, so that no answer of a name server opens the way to this machine.
#include "pyhost/net_policy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace krait::pyhost {
namespace {

uint32_t v4_number(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

bool public_v4(uint32_t address) {
  static constexpr struct {
    uint32_t prefix, bits;
  } Special[] = {
      {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24},
      {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
  };
  return std::none_of(std::begin(Special), std::end(Special),
                      [&](const auto& range) { return (address ^ range.prefix) >> (32 - range.bits) == 0; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (result.ends_with('.')) result.pop_back();
  return result;
}

bool parse_port(std::string_view text, int& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

/// Calls f with each part between commas.
template <typename F>
Result<void> each(std::string_view text, F f) {
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (auto done = f(text.substr(at, comma - at)); !done) return done;
    at = comma + 1;
  }
  return {};
}

}  // namespace

SocketAddress SocketAddress::plain() const {
  static constexpr std::array<uint8_t, 12> Mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (family != 6 || !std::equal(Mapped.begin(), Mapped.end(), bytes.begin())) return *this;
  SocketAddress v4{4, port, 0, {}};
  std::copy_n(bytes.begin() + 12, 4, v4.bytes.begin());
  return v4;
}

bool SocketAddress::same_host(const SocketAddress& other) const {
  const SocketAddress a = plain(), b = other.plain();
  return a.family == b.family && a.bytes == b.bytes;
}

bool SocketAddress::is_loopback() const {
  const SocketAddress a = plain();
  static constexpr std::array<uint8_t, 16> One = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return a.family == 4 ? a.bytes[0] == 127 : a.family == 6 && a.bytes == One;
}

bool SocketAddress::is_public() const {
  const SocketAddress a = plain();
  if (a.family == 4) return public_v4(v4_number(a.bytes.data()));
  if (a.family != 6) return false;
  // Of 2000::/3, which is all that is given out, not Teredo, ORCHID, documentation (2001::/23, 2001:db8::/32) and 6to4 (2002::/16), which hold other
  // addresses; NAT64 (64:ff9b::/96) lies outside.
  const uint32_t head = v4_number(a.bytes.data());
  return head >> 29 == 1 && head >> 9 != 0x20010000 >> 9 && head != 0x20010db8 && head >> 16 != 0x2002;
}

Result<void> NetPolicy::allow_connect(std::string_view text) {
  return each(text, [&](std::string_view part) -> Result<void> {
    const Error wrong{"'" + std::string(part) + "' is not HOST:PORT (a name, an address or *; IPv6 in brackets; the port may be *)"};
    const size_t colon = part.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return wrong;
    Rule rule;
    if (part.substr(colon + 1) != "*" && (!parse_port(part.substr(colon + 1), rule.port) || rule.port == 0)) return wrong;
    std::string host = lower(part.substr(0, colon));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
      if (inet_pton(AF_INET6, host.c_str(), rule.address.bytes.data()) != 1) return wrong;
      rule.address.family = 6;
    } else if (inet_pton(AF_INET, host.c_str(), rule.address.bytes.data()) == 1) {
      rule.address.family = 4;
    } else if (host.empty() || host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._*") != std::string::npos ||
               (host != "*" && host.find('*') != std::string::npos)) {
      return wrong;
    } else {
      rule.name = host;
    }
    rules_.push_back(std::move(rule));
    return {};
  });
}

Result<void> NetPolicy::allow_listen(std::string_view text) {
  return each(text, [&](std::string_view part) -> Result<void> {
    if (part == "*") {
      listen_on_all_ = true;
      return {};
    }
    int port = 0;
    if (!parse_port(part, port)) return Error{"'" + std::string(part) + "' is no port, nor *"};
    listen_.push_back(static_cast<uint16_t>(port));
    return {};
  });
}

bool NetPolicy::may_connect(const SocketAddress& to, const std::vector<Known>& known) const {
  const bool is_public = to.is_public();
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    if (rule.port >= 0 && rule.port != to.port) return false;
    if (rule.name.empty()) return rule.address.same_host(to);
    if (rule.name == "localhost") return to.is_loopback();
    if (!is_public) return false;
    return rule.name == "*" || std::any_of(known.begin(), known.end(), [&](const Known& one) {
             return one.name == rule.name && one.address.same_host(to);
           });
  });
}

bool NetPolicy::may_resolve(std::string_view name) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.name == "*" || (!rule.name.empty() && rule.name == name); });
}

bool NetPolicy::may_listen(uint16_t port) const { return listen_on_all_ || std::find(listen_.begin(), listen_.end(), port) != listen_.end(); }

}  // namespace krait::pyhost
