// The HTTP server over real sockets: framing, keep-alive, pipelining, limits, refusals, stop.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "io/file.hpp"
#include "io/socket.hpp"
#include "io/sync.hpp"
#include "pyhost/http/server.hpp"

namespace krait::pyhost::http {

using namespace std::chrono_literals;

namespace {

Response echo(const Request& request) {
  if (request.target == "/throw") throw std::runtime_error("broken");
  if (request.target == "/slow") io::sleep_for(50ms);
  if (request.target == "/hang") io::sleep_for(1h);
  if (request.target == "/nothing") return {204, {}, ""};
  if (request.target == "/forge") return {200, {{"X", "a\r\nY: b"}}, ""};
  return {200,
          {{"Content-Type", "text/plain"}},
          request.method + " " + request.target + " " + request.body};
}

/// A server of two shards, and clients that block this thread.
struct World {
  explicit World(Limits limits = {}, Handler handler = echo) {
    auto started = io::Runtime::start({.shards = 2});
    REQUIRE(started);
    runtime = std::move(*started);
    auto listening = Server::start(*runtime, {.limits = limits}, std::move(handler));
    REQUIRE_MESSAGE(listening, listening.error().message);
    server = std::move(*listening);
  }
  ~World() {
    server.reset();
    const auto ended = runtime->shutdown(1s, 5s);
    CHECK_MESSAGE(ended, ended.error().message);
  }
  std::unique_ptr<io::Runtime> runtime;
  std::unique_ptr<Server> server;
};

class Client {
 public:
  explicit Client(const World& world) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(world.server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    timeval limit = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server may have had enough
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  /// One answer, head and body; empty when the connection has ended without one.
  std::string answer(bool head_only = false) {
    size_t end;
    while ((end = got_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    size_t length = 0;
    const size_t at = got_.find("Content-Length: ");
    if (at < end && !head_only) length = std::stoul(got_.substr(at + 16));
    while (got_.size() < end + 4 + length) {
      if (!more()) return {};
    }
    std::string answer = got_.substr(0, end + 4 + length);
    got_.erase(0, answer.size());
    return answer;
  }
  std::string ask(std::string_view text) {
    send(text);
    return answer();
  }
  /// Whether the server ends the connection, without a reset and with nothing more to say.
  bool ended() {
    char byte;
    return got_.empty() && recv(fd_, &byte, 1, 0) == 0;
  }

 private:
  bool more() {
    char buffer[4096];
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) return false;
    got_.append(buffer, static_cast<size_t>(size));
    return true;
  }
  int fd_;
  std::string got_;
};

unsigned status(const std::string& answer) {
  return answer.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(answer.substr(9, 3)));
}

std::string body(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

bool has(const std::string& answer, std::string_view text) {
  return answer.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("requests are answered, one after another on one connection") {
  World world;
  Client client(world);
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(status(answer) == 200);
    CHECK(has(answer, "\r\nDate: "));
    CHECK(has(answer, "\r\nContent-Type: text/plain\r\n"));
    CHECK_FALSE(has(answer, "Connection:"));
    CHECK(body(answer) == "GET /a ");
  }
  CHECK(body(client.ask("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")) ==
        "POST /b hello");
  const std::string last = client.ask("GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(has(last, "\r\nConnection: close\r\n"));
  CHECK(client.ended());
  CHECK(world.server->counters().requests == 5);
  CHECK(world.server->counters().connections == 1);
}

TEST_CASE("a request may come byte by byte") {
  World world;
  Client client(world);
  for (const char byte :
       std::string("\r\nPOST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) {
    client.send({&byte, 1});
    std::this_thread::sleep_for(200us);
  }
  CHECK(body(client.answer()) == "POST /x abc");
}

TEST_CASE("pipelined requests are answered in order") {
  World world;
  Client client(world);
  const auto path = [](int i) { return i % 7 == 0 ? std::string("slow") : std::to_string(i); };
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all.append("POST /").append(path(i)).append(
        " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    all.append(std::to_string(i + 10));
  }
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    std::string expected = "POST /";
    expected.append(path(i)).append(" ").append(std::to_string(i + 10));
    CHECK(body(client.answer()) == expected);
  }
}

TEST_CASE("chunked bodies, with extensions and trailers, and any bytes") {
  World world;
  Client client(world);
  const std::string head = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(body(client.ask(head + "5\r\nhello\r\n1;x=y\r\n \r\n6\r\nchunks\r\n0\r\n\r\n")) ==
        "POST /c hello chunks");
  CHECK(body(client.ask(head + "0\r\nTrailer: 1\r\n\r\n")) == "POST /c ");
  const std::string bytes("\0\r\n\xff", 4);
  CHECK(body(client.ask(head + "4\r\n" + bytes + "\r\n0\r\n\r\n")) == "POST /c " + bytes);
  CHECK(status(client.ask(head + "zz\r\n")) == 400);
  CHECK(client.ended());
}

TEST_CASE("a large body goes both ways") {
  World world;
  Client client(world);
  const std::string large(5'000'000, 'x');
  std::thread sender([&] {
    client.send("PUT /l HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + large);
  });
  sender.join();
  CHECK(body(client.answer()) == "PUT /l " + large);
  CHECK(status(client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
}

TEST_CASE("HEAD and 204 have no body; HTTP/1.0 closes unless asked") {
  World world;
  Client client(world);
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(has(client.answer(true), "\r\nContent-Length: 8\r\n"));
  const std::string nothing = client.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status(nothing) == 204);
  CHECK_FALSE(has(nothing, "Content-Length"));
  CHECK(has(client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "\r\nConnection: keep-alive\r\n"));
  CHECK(has(client.ask("GET / HTTP/1.0\r\n\r\n"), "\r\nConnection: close\r\n"));
  CHECK(client.ended());
}

TEST_CASE("Expect: 100-continue") {
  World world({.body_bytes = 1000});
  Client client(world);
  client.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  CHECK(body(client.answer()) == "POST /e abc");
  // Who sends at once gets no interim answer.
  CHECK(
      body(client.ask(
          "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")) ==
      "POST /e abc");
  Client other(world);
  CHECK(status(other.ask(
            "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: miracles\r\n\r\n")) ==
        417);
  CHECK(other.ended());
  // A body that would be refused is not asked for.
  CHECK(
      status(client.ask(
          "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")) ==
      413);
}

TEST_CASE("what is no sound request gets its error, and the connection ends") {
  World world;
  const struct {
    const char* text;
    unsigned status;
  } cases[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/2.7\r\nHost: x\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nbad field\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
       "3\r\n\r\n0\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 501},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
  };
  for (const auto& bad : cases) {
    CAPTURE(bad.text);
    Client client(world);
    const std::string answer = client.ask(bad.text);
    CHECK(status(answer) == bad.status);
    CHECK(has(answer, "\r\nConnection: close\r\n"));
    CHECK(client.ended());
  }
  CHECK(world.server->counters().requests == 0);
}

TEST_CASE("head and body are bounded, however they come") {
  World world({.head_bytes = 2000, .body_bytes = 1000});
  const std::string host = "Host: x\r\n";
  {
    Client client(world);
    CHECK(status(client.ask("GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n" + host + "\r\n")) ==
          431);
    CHECK(client.ended());
  }
  {
    Client client(world);
    std::string many = "GET / HTTP/1.1\r\n" + host;
    for (int i = 0; i < 500; ++i) many.append("F").append(std::to_string(i)).append(": value\r\n");
    CHECK(status(client.ask(many + "\r\n")) == 431);
  }
  {
    Client client(world);
    CHECK(status(client.ask("POST / HTTP/1.1\r\n" + host + "Content-Length: 1001\r\n\r\n" +
                            std::string(1001, 'b'))) == 413);
    CHECK(client.ended());
  }
  {
    Client client(world);
    std::string chunks;
    for (int i = 0; i < 20; ++i) chunks += "64\r\n" + std::string(100, 'c') + "\r\n";
    CHECK(status(client.ask("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" +
                            chunks)) == 413);
  }
  {
    Client client(world);
    CHECK(status(client.ask("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n5;" +
                            std::string(50'000, 'e'))) == 400);
  }
  {
    Client client(world);
    CHECK(status(client.ask("POST / HTTP/1.1\r\n" + host + "Content-Length: 1000\r\n\r\n" +
                            std::string(1000, 'b'))) == 200);
  }
}

TEST_CASE("time is bounded: idle, head, body") {
  World world({.idle = 200ms, .head = 50ms, .body = 50ms});
  Client idle(world);
  CHECK(idle.ended());
  Client head(world);
  CHECK(status(head.ask("GET / HT")) == 408);
  CHECK(head.ended());
  Client body(world);
  CHECK(status(body.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")) == 408);
  CHECK(body.ended());
}

TEST_CASE("a client that reads nothing does not hold its answer for ever") {
  World world({.write = 50ms}, [](const Request&) {
    return Response{200, {}, std::string(64 << 20, 'x')};
  });
  Client client(world);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (world.server->open_connections() == 0 || world.server->counters().requests == 0)
    std::this_thread::sleep_for(1ms);
  while (world.server->open_connections() != 0) std::this_thread::sleep_for(1ms);
}

TEST_CASE("handlers that throw or forge fields make a 500") {
  World world;
  Client client(world);
  CHECK(body(client.ask("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n")) ==
        "the handler failed: broken\n");
  const std::string forged = client.ask("GET /forge HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status(forged) == 500);
  CHECK_FALSE(has(forged, "Y: b"));
  CHECK(status(client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
}

TEST_CASE("when full: an early 503 with Retry-After, and then service again") {
  SUBCASE("connections") {
    World world({.connections = 2, .retry_after = 7});
    Client first(world), second(world);
    CHECK(status(first.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
    CHECK(status(second.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
    Client third(world);
    const std::string refused = third.answer();
    CHECK(status(refused) == 503);
    CHECK(has(refused, "\r\nRetry-After: 7\r\n"));
    CHECK(third.ended());
    CHECK(world.server->counters().refused_connections == 1);
    first.close();
    while (world.server->open_connections() == 2) std::this_thread::sleep_for(1ms);
    Client fourth(world);
    CHECK(status(fourth.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
  }
  SUBCASE("requests") {
    std::atomic<bool> release{false};
    World world({.requests = 1}, [&](const Request&) {
      while (!release) io::sleep_for(1ms);
      return Response{200, {}, "done"};
    });
    Client busy(world), other(world);
    busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    while (world.server->counters().requests == 0) std::this_thread::sleep_for(1ms);
    const std::string refused = other.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(status(refused) == 503);
    CHECK(has(refused, "\r\nRetry-After: 1\r\n"));
    CHECK_FALSE(has(refused, "Connection: close"));
    CHECK(world.server->counters().refused_requests == 1);
    release = true;
    CHECK(body(busy.answer()) == "done");
    CHECK(body(other.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == "done");
  }
}

TEST_CASE("a graceful stop answers what has begun and closes what is idle") {
  World world;
  Client idle(world), busy(world);
  CHECK(status(idle.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200);
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (world.server->counters().requests < 2) std::this_thread::sleep_for(1ms);
  std::thread stopper([&] { CHECK(world.server->stop(5s)); });
  const std::string last = busy.answer();
  CHECK(status(last) == 200);
  CHECK(has(last, "\r\nConnection: close\r\n"));
  CHECK(busy.ended());
  CHECK(idle.ended());
  busy.close();
  idle.close();
  stopper.join();
  CHECK(world.server->open_connections() == 0);
}

TEST_CASE("a stop cancels what is not done in time") {
  World world;
  Client hanging(world);
  hanging.send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
  while (world.server->counters().requests < 1) std::this_thread::sleep_for(1ms);
  CHECK_FALSE(world.server->stop(20ms));
  CHECK(world.server->open_connections() == 0);
}

TEST_CASE("many connections at once, all answered") {
  World world;
  constexpr int Count = 300;
  std::atomic<int> answered{0};
  world.runtime->shard(0).run([&] {
    io::Scope scope;
    for (int i = 0; i < Count; ++i) {
      scope.spawn([&] {
        const int fd = io::connect_tcp("127.0.0.1", world.server->port(), 10s);
        REQUIRE(fd >= 0);
        for (int round = 0; round < 3; ++round) {
          REQUIRE(io::send_all(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") == 0);
          char buffer[1024];
          const int got = io::recv(fd, buffer, sizeof buffer, 0, 10s);
          REQUIRE(got > 12);
          if (std::string(buffer, 12) == "HTTP/1.1 200") ++answered;
        }
        io::close(fd);
      });
    }
    CHECK(scope.join() == 0);
  });
  CHECK(answered == Count * 3);
}

TEST_CASE("a port that is taken is said in one line") {
  World world;
  auto second = Server::start(*world.runtime, {.port = world.server->port()}, echo);
  REQUIRE_FALSE(second);
  CHECK(has(second.error().message, "cannot listen on 127.0.0.1 port "));
}

}  // namespace krait::pyhost::http
