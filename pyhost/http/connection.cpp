// One request after another, in order, so pipelined ones are answered in order too: what lies in
// the buffer after a request is the next one. Beast's parser is fed by hand, first up to the end of
// the head, where it is decided whether the body is wanted at all.
//
// A connection that is closed with unread input would be reset, and the answer on its way lost with
// it: linger() first ends our side and reads on for a moment.
#include "pyhost/http/connection.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>
#include <exception>

#include "io/file.hpp"
#include "io/socket.hpp"

namespace krait::pyhost::http {

namespace beast = boost::beast;
using namespace std::chrono_literals;

namespace {

constexpr size_t HeadRead = 4096;  // bytes asked for while a head is expected
constexpr size_t BodyRead = size_t{64} << 10;
constexpr uint32_t MaxHead = 60 << 10;  // Beast keeps a field's length in 16 bits
constexpr size_t LingerBytes = size_t{256} << 10;
constexpr auto LingerTime = 1s;

bool same_name(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

std::string_view reason(unsigned status) {
  const auto text = beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  return {text.data(), text.size()};
}

void append_date(std::string& head) {
  char text[40];
  const time_t now = time(nullptr);
  tm parts = {};
  gmtime_r(&now, &parts);
  head.append(text, strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts));
}

std::string response_head(const Response& response, bool keep_alive, bool one_dot_zero,
                          bool retry_after, unsigned seconds) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason(response.status);
  head += "\r\n";
  append_date(head);
  for (const auto& [name, value] : response.fields)
    head.append(name).append(": ").append(value).append("\r\n");
  if (retry_after) head += "Retry-After: " + std::to_string(seconds) + "\r\n";
  if (response.status != 204 && response.status != 304)
    head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  if (!keep_alive) head += "Connection: close\r\n";
  if (keep_alive && one_dot_zero) head += "Connection: keep-alive\r\n";
  head += "\r\n";
  return head;
}

Response plain(unsigned status, std::string_view why) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(why) + "\n"};
}

/// A field that would end its line early could forge a response.
bool sound(const Fields& fields) {
  return std::all_of(fields.begin(), fields.end(), [](const auto& field) {
    return !field.first.empty() && field.first.find_first_of("\r\n: ") == std::string::npos &&
           field.second.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
  });
}

}  // namespace

const std::string* find_field(const Fields& fields, std::string_view name) {
  for (const auto& field : fields) {
    if (same_name(field.first, name)) return &field.second;
  }
  return nullptr;
}

std::string refusal(unsigned retry_after) {
  const Response response = plain(503, "too many connections");
  return response_head(response, false, false, true, retry_after) + response.body;
}

// -- Buffer --

void Buffer::consume(size_t size) {
  begin_ += size;
  if (begin_ == end_) begin_ = end_ = 0;
}

void Buffer::shrink() {
  if (empty() && bytes_.size() > HeadRead) std::string().swap(bytes_);
}

char* Buffer::reserve(size_t size) {
  if (begin_ != 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (bytes_.size() < end_ + size) bytes_.resize(end_ + size);
  return bytes_.data() + end_;
}

// -- Reader: the parser and the limits --

/// Reads one request. Errors are the status of the answer: 400, 408, 413, 431; 0 is none, and Gone
/// has no answer.
class Connection::Reader {
 public:
  static constexpr unsigned Gone = 1;

  explicit Reader(Connection& connection)
      : connection_(connection), limits_(connection.server_.options_.limits) {
    parser_.header_limit(std::min(limits_.head_bytes, MaxHead));
    parser_.body_limit(limits_.body_bytes);
    parser_.eager(false);
  }

  unsigned read_head() {
    const io::Deadline deadline(limits_.head);
    while (!parser_.is_header_done()) {
      if (const unsigned error = advance(deadline, HeadRead)) return error;
    }
    return 0;
  }

  /// Whether any of the body is still to come.
  [[nodiscard]] bool done() const { return parser_.is_done(); }

  unsigned read_body() {
    const io::Deadline deadline(limits_.body);
    parser_.eager(true);
    while (!parser_.is_done()) {
      if (const unsigned error = advance(deadline, BodyRead)) return error;
    }
    return 0;
  }

  [[nodiscard]] const auto& head() const { return parser_.get(); }
  [[nodiscard]] bool chunked() const { return parser_.chunked(); }
  [[nodiscard]] bool keep_alive() const { return parser_.keep_alive(); }
  [[nodiscard]] bool body_too_large() const {
    const auto length = parser_.content_length();
    return length && *length > limits_.body_bytes;
  }
  std::string take_body() { return std::move(parser_.get().body()); }

 private:
  /// Parses what there is, or else gets more.
  unsigned advance(io::Deadline deadline, size_t size) {
    Buffer& buffer = connection_.buffer_;
    if (!buffer.empty()) {
      beast::error_code error;
      const std::string_view bytes = buffer.view();
      buffer.consume(parser_.put({bytes.data(), bytes.size()}, error));
      if (!error) return 0;
      if (error != beast::http::error::need_more) return status_of(error);
      // What the parser leaves is one line, or one block of trailers: it may be no longer than a
      // head.
      if (buffer.view().size() > limits_.head_bytes) return parser_.is_header_done() ? 400 : 431;
    }
    const int got = connection_.receive(size, deadline);
    if (got > 0) return 0;
    return got == -ETIMEDOUT ? 408 : Gone;
  }

  static unsigned status_of(const beast::error_code& code) {
    using beast::http::error;
    if (code == error::header_limit) return 431;
    if (code == error::body_limit) return 413;
    if (code == error::bad_version) return 505;
    return 400;
  }

  Connection& connection_;
  const Limits& limits_;
  beast::http::request_parser<beast::http::string_body> parser_;
};

// -- Connection --

void Connection::serve() {
  io::set_no_delay(fd_);
  Next next;
  do {
    next = serve_one();
  } while (next == Next::Request && !stopping_);
  if (next != Next::Close) linger();
  watch_.reset();
  io::close(fd_);
}

void Connection::hung_up() {
  char byte;
  if (!handling_ || !buffer_.empty() || ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;
  handling_->cancel();
}

void Connection::stop_if_idle() {
  // Not a cancel: a request that has just come is still read and answered.
  if (idle_) ::shutdown(fd_, SHUT_RD);
}

int Connection::receive(size_t size, io::Deadline deadline) {
  const int got = io::recv(fd_, buffer_.reserve(size), size, 0, deadline);
  if (got > 0) buffer_.commit(static_cast<size_t>(got));
  return got;
}

bool Connection::wait_for_request() {
  const io::Deadline deadline(server_.options_.limits.idle);
  buffer_.shrink();
  for (;;) {
    // Empty lines before a request line are to be ignored (RFC 9112, 2.2).
    while (buffer_.view().starts_with("\r\n")) buffer_.consume(2);
    if (!buffer_.empty() && buffer_.view() != "\r") return true;
    idle_ = true;
    const int got = receive(HeadRead, deadline);
    idle_ = false;
    if (got <= 0) return false;
  }
}

Connection::Next Connection::serve_one() {
  if (!wait_for_request()) return Next::Close;
  one_dot_zero_ = false;
  Reader reader(*this);
  if (const unsigned error = reader.read_head()) {
    return error == Reader::Gone ? Next::Close : refuse(error, "the request's head cannot be read");
  }
  const auto& head = reader.head();
  one_dot_zero_ = head.version() < 11;
  Request request;
  request.method.assign(head.method_string().data(), head.method_string().size());
  request.target.assign(head.target().data(), head.target().size());
  for (const auto& field : head) {
    request.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  if (!one_dot_zero_ && head.count(beast::http::field::host) != 1)
    return refuse(400, "a request names exactly one Host");
  if (head.count(beast::http::field::transfer_encoding) != 0 &&
      (one_dot_zero_ || !reader.chunked())) {
    return refuse(501, "the only Transfer-Encoding is chunked, in HTTP/1.1");
  }
  if (reader.body_too_large()) return refuse(413, "the body is too large");
  return answer(reader, request);
}

Connection::Next Connection::answer(Reader& reader, Request& request) {
  const Limits& limits = server_.options_.limits;
  struct InHandler {
    explicit InHandler(std::atomic<unsigned>& count)
        : count(count), before(count.fetch_add(1, std::memory_order_relaxed)) {}
    ~InHandler() { count.fetch_sub(1, std::memory_order_relaxed); }
    std::atomic<unsigned>& count;
    const unsigned before;
  } handling(server_.in_handlers_);
  if (handling.before >= limits.requests) {
    server_.counters_.refused_requests.fetch_add(1, std::memory_order_relaxed);
    // With its body unread there is no telling where the next request begins.
    const bool keep_alive = reader.done() && reader.keep_alive();
    if (!respond(plain(503, "too many requests at once"), keep_alive, request.method != "HEAD",
                 true))
      return Next::Close;
    return keep_alive ? Next::Request : Next::Linger;
  }
  if (const std::string* expected = find_field(request.fields, "Expect");
      expected && !one_dot_zero_) {
    if (!same_name(*expected, "100-continue"))
      return refuse(417, "the only expectation is 100-continue");
    if (!reader.done() && buffer_.empty() && !send("HTTP/1.1 100 Continue\r\n\r\n", {}))
      return Next::Close;
  }
  if (const unsigned error = reader.read_body()) {
    return error == Reader::Gone ? Next::Close : refuse(error, "the request's body cannot be read");
  }
  request.body = reader.take_body();
  server_.counters_.requests.fetch_add(1, std::memory_order_relaxed);
  Response response;
  handling_ = io::current();
  if (!watch_) watch_.emplace(fd_, [this] { hung_up(); });
  // The answer to an exception is sent outside of the handler: a coroutine must not park inside of
  // one.
  try {
    response = server_.handler_(request);
  } catch (const std::exception& exception) {
    response = plain(500, std::string("the handler failed: ") + exception.what());
  } catch (...) {
    response = plain(500, "the handler failed");
  }
  handling_ = nullptr;
  if (!sound(response.fields)) response = plain(500, "the handler made a field with a line break");
  const bool keep_alive = reader.keep_alive() && !stopping_;
  if (!respond(response, keep_alive, request.method != "HEAD")) return Next::Close;
  return keep_alive ? Next::Request : Next::Linger;
}

Connection::Next Connection::refuse(unsigned status, std::string_view why) {
  return respond(plain(status, why), false, true) ? Next::Linger : Next::Close;
}

bool Connection::respond(const Response& response, bool keep_alive, bool with_body,
                         bool retry_after) {
  const std::string head = response_head(response, keep_alive, one_dot_zero_, retry_after,
                                         server_.options_.limits.retry_after);
  with_body = with_body && response.status != 204 && response.status != 304;
  return send(head, with_body ? std::string_view(response.body) : std::string_view());
}

bool Connection::send(std::string_view head, std::string_view body) {
  const io::Deadline deadline(server_.options_.limits.write);
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message = {};
    message.msg_iov = head.empty() ? parts + 1 : parts;
    message.msg_iovlen = head.empty() || body.empty() ? 1 : 2;
    const int sent = io::sendmsg(fd_, message, 0, deadline);
    if (sent < 0) return false;
    const size_t of_head = std::min(static_cast<size_t>(sent), head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<size_t>(sent) - of_head);
  }
  return true;
}

void Connection::linger() {
  if (io::shutdown(fd_, SHUT_WR) != 0) return;
  const io::Deadline deadline(LingerTime);
  char discarded[4096];
  for (size_t total = 0; total < LingerBytes;) {
    const int got = io::recv(fd_, discarded, sizeof discarded, 0, deadline);
    if (got <= 0) return;
    total += static_cast<size_t>(got);
  }
}

}  // namespace krait::pyhost::http
