// c-ares asks, the Waiter waits: a look-up holds no thread, and a cancel ends it at once. A channel lives as long as one look-up, so
// that it sees resolv.conf as it is now, and nothing of one sandbox is seen by another.
#include "pyhost/name_lookup.hpp"

#include <ares.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

namespace krait::pyhost {
namespace {

constexpr int TriesOfOne = 2, TimeoutMs = 3'000;
constexpr uint64_t Second = 1'000'000'000;

SocketAddress address_of(const ares_addrinfo_node& node) {
  SocketAddress to;
  if (node.ai_family == AF_INET && node.ai_addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, node.ai_addr, sizeof in);
    to.family = 4;
    std::memcpy(to.bytes.data(), &in.sin_addr, 4);
  } else if (node.ai_family == AF_INET6 && node.ai_addrlen >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, node.ai_addr, sizeof in);
    to.family = 6, to.scope = in.sin6_scope_id;
    std::memcpy(to.bytes.data(), &in.sin6_addr, 16);
  }
  return to;
}

Errno errno_of_status(int status) {
  switch (status) {
    case ARES_SUCCESS: return Errno::Success;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME: return Errno::NoEnt;
    case ARES_ENOMEM: return Errno::NoMem;
    default: return Errno::Again;
  }
}

struct Asked {
  NamesFound found;
  bool over = false;
};

void answer(void* asked, int status, int, ares_addrinfo* info) {
  auto& [found, over] = *static_cast<Asked*>(asked);
  over = true;
  found.error = errno_of_status(status);
  for (const ares_addrinfo_node* node = info ? info->nodes : nullptr; node; node = node->ai_next)
    if (const SocketAddress address = address_of(*node); address.family != 0) found.addresses.push_back(address);
  if (info) ares_freeaddrinfo(info);
  if (found.error == Errno::Success && found.addresses.empty()) found.error = Errno::NoEnt;
}

/// One wait and what it brought. False when it was cut short.
bool step(ares_channel channel, Waiter& waiter) {
  ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
  const unsigned wanted = static_cast<unsigned>(ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM));
  std::vector<pollfd> fds;
  for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
    const int events = (ARES_GETSOCK_READABLE(wanted, i) ? POLLIN : 0) | (ARES_GETSOCK_WRITABLE(wanted, i) ? POLLOUT : 0);
    if (events != 0) fds.push_back({sockets[i], static_cast<short>(events), 0});
  }
  timeval most{TimeoutMs / 1000, 0}, room{};
  const timeval* left = ares_timeout(channel, &most, &room);
  const uint64_t ns = static_cast<uint64_t>(left->tv_sec) * Second + static_cast<uint64_t>(left->tv_usec) * 1000;
  const Deadline until{CLOCK_MONOTONIC, Deadline::now(CLOCK_MONOTONIC) + ns};
  if (!(fds.empty() ? waiter.sleep_until(until) : waiter.poll(fds, until))) return false;
  bool any = false;
  for (const pollfd& one : fds) {
    if (one.revents == 0) continue;
    any = true;
    ares_process_fd(channel, one.revents & ~POLLOUT ? one.fd : ARES_SOCKET_BAD, one.revents & POLLOUT ? one.fd : ARES_SOCKET_BAD);
  }
  if (!any) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
  return true;
}

/// Null where there is no memory.
std::unique_ptr<ares_channeldata, void (*)(ares_channel)> channel_of() {
  static const int started = ares_library_init(ARES_LIB_INIT_ALL);  // as c-ares wants it: before all else, by one thread
  ares_options options{};
  options.timeout = TimeoutMs;
  options.tries = TriesOfOne;
  ares_channel made = nullptr;
  if (started != ARES_SUCCESS || ares_init_options(&made, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS) made = nullptr;
  return {made, ares_destroy};
}

bool use_servers(ares_channel channel, const std::string& servers) {
  return servers.empty() || ares_set_servers_ports_csv(channel, servers.c_str()) == ARES_SUCCESS;
}

}  // namespace

bool are_name_servers(const std::string& servers) {
  const auto channel = channel_of();
  return channel && !servers.empty() && use_servers(channel.get(), servers);
}

NamesFound look_up_name(const std::string& name, const std::string& servers, Waiter& waiter) {
  Asked asked;  // outlives the channel, whose end still answers
  const auto channel = channel_of();
  if (!channel || !use_servers(channel.get(), servers)) return {{}, Errno::NoMem};
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel.get(), name.c_str(), nullptr, &hints, answer, &asked);
  while (!asked.over)
    if (!step(channel.get(), waiter)) return {{}, Errno::Intr};
  return std::move(asked.found);
}

}  // namespace krait::pyhost
