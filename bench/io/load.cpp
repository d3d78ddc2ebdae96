// The load: a closed loop over epoll; over plain blocking calls for a single connection, where epoll would be most of the cost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/io/echo.hpp"
#include "io/socket.hpp"
#include "io/time.hpp"

namespace krait::bench {

namespace {

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  io::set_no_delay(fd);
  return fd;
}

void send_message(int fd) {
  static const char message[MessageSize] = {};
  if (send(fd, message, MessageSize, MSG_NOSIGNAL) != MessageSize) fail("send");
}

}  // namespace

uint64_t load(uint16_t port, int connections, double seconds) {
  std::vector<int> fds;
  for (int i = 0; i < connections; ++i) fds.push_back(connect_to(port));
  uint64_t answers = 0;
  char buffer[4096];
  const io::Deadline end = io::Deadline::in(static_cast<int64_t>(seconds * 1e9));
  if (connections == 1) {
    while (!end.passed()) {
      for (int i = 0; i < 16; ++i, ++answers) {
        send_message(fds[0]);
        if (recv(fds[0], buffer, MessageSize, MSG_WAITALL) != MessageSize) fail("recv");
      }
    }
  } else {
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    std::vector<size_t> got(static_cast<size_t>(connections));
    for (uint32_t i = 0; i < fds.size(); ++i) {
      epoll_event event = {EPOLLIN, {.u32 = i}};
      epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
      send_message(fds[i]);
    }
    epoll_event events[256];
    while (!end.passed()) {
      const int ready = epoll_wait(poller, events, 256, 1000);
      for (int i = 0; i < ready; ++i) {
        const uint32_t index = events[i].data.u32;
        const ssize_t size = recv(fds[index], buffer, sizeof buffer, 0);
        if (size <= 0) fail("recv");
        got[index] += static_cast<size_t>(size);
        if (got[index] < MessageSize) continue;
        got[index] = 0;
        ++answers;
        send_message(fds[index]);
      }
    }
    close(poller);
  }
  for (const int fd : fds) close(fd);
  return answers;
}

}  // namespace krait::bench
