// Private to pyhost/http: one connection, from accept to close.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/coroutine.hpp"
#include "io/list.hpp"
#include "io/socket.hpp"
#include "io/time.hpp"
#include "pyhost/http/server.hpp"

namespace krait::pyhost::http {

/// The bytes that have come and were not yet parsed.
class Buffer {
 public:
  [[nodiscard]] std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  void consume(size_t size);
  /// Room for at least `size` bytes more, to be filled and then taken in by commit().
  char* reserve(size_t size);
  void commit(size_t size) { end_ += size; }
  /// Gives back what a large body left, if nothing is in it.
  void shrink();

 private:
  std::string bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

/// Serves one connection in one coroutine; what it shares with its shard's stop() is `idle` and
/// `stopping`, on one thread.
class Connection : public io::ListNode {
 public:
  /// Owns `fd`, which must be a connected stream socket.
  Connection(Server& server, int fd, const bool& stopping)
      : server_(server), fd_(fd), stopping_(stopping) {}
  /// Until the other side, a limit or the server ends it. Closes the socket.
  void serve();
  /// Makes a connection that waits for its next request see the end.
  void stop_if_idle();

 private:
  class Reader;
  enum class Next { Request, Close, Linger };

  Next serve_one();
  Next answer(Reader& reader, Request& request);
  [[nodiscard]] bool wait_for_request();
  /// Bytes, 0 at the end, or a negative errno.
  int receive(size_t size, io::Deadline deadline);
  bool send(std::string_view head, std::string_view body);
  Next refuse(unsigned status, std::string_view why);
  bool respond(const Response& response, bool keep_alive, bool with_body, bool retry_after = false);
  void linger();
  /// The client has ended its side: who waits for nothing more of it and is still at work is cancelled.
  void hung_up();

  Server& server_;
  const int fd_;
  const bool& stopping_;
  bool idle_ = false;
  io::Coroutine* handling_ = nullptr;  // while the handler runs
  std::optional<io::HangupWatch> watch_;  // from the first request on
  bool one_dot_zero_ = false;  // the request at hand is HTTP/1.0
  Buffer buffer_;
};

/// The whole of a 503 that is sent without a request.
std::string refusal(unsigned retry_after);

}  // namespace krait::pyhost::http
