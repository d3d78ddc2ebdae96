// The load: a closed loop over epoll; over plain blocking calls for a single connection, where
// epoll would be most of the cost.
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
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  io::set_no_delay(fd);
  return fd;
}

void send_message(int fd) {
  static const char message[MessageSize] = {};
  if (send(fd, message, MessageSize, MSG_NOSIGNAL) != MessageSize) fail("send");
}

void receive_message(int fd) {
  char buffer[MessageSize];
  if (recv(fd, buffer, MessageSize, MSG_WAITALL) != MessageSize) fail("recv");
}

}  // namespace

Load::Load(uint16_t port, int connections) {
  for (int i = 0; i < connections; ++i) fds_.push_back(connect_to(port));
  for (const int fd : fds_) send_message(fd);
  for (const int fd : fds_) receive_message(fd);
}

Load::~Load() {
  for (const int fd : fds_) close(fd);
}

uint64_t Load::run(double seconds) {
  const int64_t end = io::now_ns() + static_cast<int64_t>(seconds * 1e9);
  return fds_.size() == 1 ? run_one(end) : run_many(end);
}

uint64_t Load::run_one(int64_t end) {
  uint64_t answers = 0;
  for (; io::now_ns() < end; ++answers) {
    send_message(fds_[0]);
    receive_message(fds_[0]);
  }
  return answers;
}

uint64_t Load::run_many(int64_t end) {
  uint64_t answers = 0;
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  std::vector<size_t> got(fds_.size());
  for (uint32_t i = 0; i < fds_.size(); ++i) {
    epoll_event event = {EPOLLIN, {.u32 = i}};
    epoll_ctl(poller, EPOLL_CTL_ADD, fds_[i], &event);
    send_message(fds_[i]);
  }
  // After the end only the answers on the way are taken, so that none is left to the next run.
  epoll_event events[256];
  char buffer[4096];
  for (size_t on_the_way = fds_.size(); on_the_way != 0;) {
    const int ready = epoll_wait(poller, events, 256, 1000);
    const bool over = io::now_ns() >= end;
    for (int i = 0; i < ready; ++i) {
      const uint32_t index = events[i].data.u32;
      const ssize_t size = recv(fds_[index], buffer, sizeof buffer, 0);
      if (size <= 0) fail("recv");
      got[index] += static_cast<size_t>(size);
      if (got[index] < MessageSize) continue;
      got[index] = 0;
      ++answers;
      if (over) {
        --on_the_way;
      } else {
        send_message(fds_[index]);
      }
    }
  }
  close(poller);
  return answers;
}

}  // namespace krait::bench
