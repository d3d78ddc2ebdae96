// Three echo servers of one thread each, as one would write them: over krait's coroutines, a plain
// epoll loop, and Boost.Asio with handlers (its fastest form).
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>  // which Boost 1.74 forgets

#include <boost/asio.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "bench/io/echo.hpp"
#include "io/file.hpp"
#include "io/runtime.hpp"
#include "io/socket.hpp"

namespace krait::bench {

namespace {

constexpr size_t BufferSize = 4096;

void echo_connection(int fd) {
  char buffer[BufferSize];
  io::set_no_delay(fd);
  {
    io::Receiver receiver(fd);
    int got;
    while ((got = receiver.recv(buffer, sizeof buffer)) > 0) {
      if (io::send_all(fd, {buffer, static_cast<size_t>(got)}) != 0) break;
    }
  }
  io::close(fd);
}

}  // namespace

void serve_krait(int listener) {
  auto runtime = io::Runtime::start({.shards = 1});
  if (!runtime) {
    std::fprintf(stderr, "%s\n", runtime.error().message.c_str());
    return;
  }
  (*runtime)->shard(0).run([listener] {
    io::Scope scope;
    io::Acceptor acceptor(listener);
    int fd;
    while ((fd = acceptor.next()) >= 0) scope.spawn([fd] { echo_connection(fd); });
  });
}

void serve_epoll(int listener) {
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event = {EPOLLIN, {.fd = listener}};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  epoll_event events[256];
  char buffer[BufferSize];
  for (;;) {
    const int ready = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) continue;
        io::set_no_delay(client);
        event = {EPOLLIN, {.fd = client}};
        epoll_ctl(poller, EPOLL_CTL_ADD, client, &event);
        continue;
      }
      // Level-triggered: one read and one write a wake-up, no read that only finds nothing.
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0 || send(fd, buffer, static_cast<size_t>(got), MSG_NOSIGNAL) != got) close(fd);
    }
  }
}

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class AsioConnection : public std::enable_shared_from_this<AsioConnection> {
 public:
  explicit AsioConnection(tcp::socket socket) : socket_(std::move(socket)) {}
  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](boost::system::error_code error, size_t got) {
          if (!error) self->write(got);
        });
  }

 private:
  void write(size_t size) {
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](boost::system::error_code error, size_t) {
                        if (!error) self->read();
                      });
  }
  tcp::socket socket_;
  char buffer_[BufferSize];
};

void asio_accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&](boost::system::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<AsioConnection>(std::move(socket))->read();
    }
    asio_accept(acceptor);
  });
}

}  // namespace

void serve_asio(int listener) {
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::v4(), listener);
  asio_accept(acceptor);
  context.run();
}

}  // namespace krait::bench
