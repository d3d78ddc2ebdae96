// Every shard accepts from the one listening socket and keeps its connections to itself; what is
// shared is counted in atomics.
//
// Stop, on each shard: the acceptor goes first, then the connections that wait for a request see
// the end of their input; the others notice `stopping` after their answer.
#include "pyhost/http/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/file.hpp"
#include "io/socket.hpp"
#include "pyhost/http/connection.hpp"

namespace krait::pyhost::http {

using namespace std::chrono_literals;

/// A server's part on one shard; its thread's alone.
struct Server::OnShard {
  explicit OnShard(io::Shard& shard) : shard(shard), scope(shard) {}
  io::Shard& shard;
  io::List<Connection> connections;
  io::Task acceptor;
  unsigned refusing = 0;
  bool stopping = false;
  io::Scope scope;  // last: its end waits for all that uses the rest
};

namespace {

constexpr int Backlog = 4096;  // the kernel's queue
constexpr unsigned MaxRefusing =
    64;  // connections a shard says 503 to at once; beyond, it just closes
constexpr auto RefuseTime = 1s;

}  // namespace

Server::Server(io::Runtime& runtime, Options options, Handler handler)
    : runtime_(runtime), options_(std::move(options)), handler_(std::move(handler)) {}

Result<std::unique_ptr<Server>> Server::start(io::Runtime& runtime, Options options,
                                              Handler handler) {
  std::unique_ptr<Server> server(new Server(runtime, std::move(options), std::move(handler)));
  auto listening = io::listen_tcp(server->options_.address.c_str(), server->options_.port, Backlog);
  if (!listening) return listening.error();
  server->listener_ = *listening;
  server->port_ = static_cast<uint16_t>(io::local_port(*listening));
  for (size_t i = 0; i < runtime.shards(); ++i) {
    OnShard& on = *server->shards_.emplace_back(std::make_unique<OnShard>(runtime.shard(i)));
    on.shard.run([&on, self = server.get()] {
      on.acceptor = on.scope.spawn([&on, self] { self->accept_on(on); }, "http accept");
    });
  }
  return server;
}

Server::~Server() { stop(0ms); }

void Server::accept_on(OnShard& on) {
  io::Acceptor acceptor(listener_);
  for (;;) {
    const int fd = acceptor.next();
    if (fd == -ECANCELED) return;
    if (fd < 0) {
      // Out of descriptors or memory: others must end first. Errors of the one connection that
      // failed come here too.
      io::sleep_for(10ms);
      continue;
    }
    if (open_.fetch_add(1, std::memory_order_relaxed) >= options_.limits.connections) {
      refuse(on, fd);
      continue;
    }
    counters_.connections.fetch_add(1, std::memory_order_relaxed);
    const io::Task task = on.scope.spawn(
        [this, fd, &on] {
          Connection connection(*this, fd, on.stopping);
          on.connections.push_back(connection);
          connection.serve();
          connection.unlink();
          open_.fetch_sub(1, std::memory_order_relaxed);
        },
        "http connection");
    if (!task.valid()) refuse(on, fd);
  }
}

void Server::refuse(OnShard& on, int fd) {
  counters_.refused_connections.fetch_add(1, std::memory_order_relaxed);
  open_.fetch_sub(1, std::memory_order_relaxed);
  const auto say = [this, fd, &on] {
    const io::Deadline deadline(RefuseTime);
    char discarded[4096];
    if (io::send_all(fd, refusal(options_.limits.retry_after), deadline) == 0 &&
        io::shutdown(fd, SHUT_WR) == 0) {
      while (io::recv(fd, discarded, sizeof discarded, 0, deadline) > 0) {
      }
    }
    io::close(fd);
    --on.refusing;
  };
  if (on.refusing < MaxRefusing && on.scope.spawn(say, "http refuse").valid()) {
    ++on.refusing;
  } else {
    ::close(fd);
  }
}

bool Server::stop(std::chrono::milliseconds drain) {
  if (listener_ < 0) return true;
  // All shards begin before any is waited for.
  for (auto& on : shards_) {
    on->shard.run([&] {
      on->stopping = true;
      on->acceptor.cancel();
      on->connections.for_each([](Connection& connection) { connection.stop_if_idle(); });
    });
  }
  const io::Deadline deadline(drain);
  bool drained = true;
  for (auto& on : shards_) drained = on->scope.join(deadline) == 0 && drained;
  shards_.clear();
  ::close(std::exchange(listener_, -1));
  return drained;
}

}  // namespace krait::pyhost::http
