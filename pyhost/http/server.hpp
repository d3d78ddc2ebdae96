// An HTTP/1.1 server on the coroutine runtime: keep-alive, pipelining, chunked bodies, Expect:
// 100-continue, limits, graceful stop. Boost.Beast parses; each connection is a coroutine.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/runtime.hpp"
#include "pyhost/http/message.hpp"

namespace krait::pyhost::http {

/// Answers one request. Runs in the connection's coroutine and may park; several run at once, on
/// all shards. An exception becomes a 500. When the client ends its side meanwhile, having sent
/// nothing more, the coroutine is cancelled: what the handler waits for fails with -ECANCELED.
using Handler = std::function<Response(const Request&)>;

struct Limits {
  uint32_t head_bytes = 16 << 10;  ///< request line and fields, at most 60 KiB; more: 431
  uint64_t body_bytes =
      64 << 20;  ///< more: 413, before the body is read where its length is declared
  unsigned connections = 10'000;           ///< open at once; one more gets a 503 and is closed
  unsigned requests = 1'000;               ///< in handlers at once; one more gets a 503
  unsigned retry_after = 1;                ///< seconds, said with each 503
  std::chrono::milliseconds idle{60'000};  ///< between two requests; then the connection is closed
  std::chrono::milliseconds head{
      10'000};  ///< from the first byte of a request to the end of its head; then 408
  std::chrono::milliseconds body{60'000};   ///< for the body; then 408
  std::chrono::milliseconds write{60'000};  ///< for an answer to be taken
};

struct Options {
  std::string address = "127.0.0.1";  ///< numeric, IPv4 or IPv6
  uint16_t port = 0;                  ///< 0 takes a free one
  Limits limits;
};

/// What has happened so far. Written by all shards, relaxed.
struct Counters {
  std::atomic<uint64_t> connections{0}, requests{0}, refused_connections{0}, refused_requests{0};
};

class Server {
 public:
  /// Listens, on all shards of `runtime`, which must outlive the server.
  static Result<std::unique_ptr<Server>> start(io::Runtime& runtime, Options options,
                                               Handler handler);
  /// Stops at once if stop() has not been called. From a thread that is no shard.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] unsigned open_connections() const { return open_.load(std::memory_order_relaxed); }

  /// Graceful: takes no more connections, closes the idle ones, answers what it has begun to read,
  /// with Connection: close. What is not done after `drain` is cancelled. From a thread that is no
  /// shard; blocks until all is closed. False if something had to be cancelled.
  bool stop(std::chrono::milliseconds drain);

 private:
  friend class Connection;
  struct OnShard;

  Server(io::Runtime& runtime, Options options, Handler handler);
  void accept_on(OnShard& shard);
  void refuse(OnShard& shard, int fd);

  io::Runtime& runtime_;
  const Options options_;
  const Handler handler_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<unsigned> open_{0};
  std::atomic<unsigned> in_handlers_{0};
  Counters counters_;
  std::vector<std::unique_ptr<OnShard>> shards_;
};

}  // namespace krait::pyhost::http
