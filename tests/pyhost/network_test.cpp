// What a policy lets through, and pairs at their edges; the calls themselves are tested from Python (tests/tools/test_sockets.py).
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>

#include <cstring>

#include "pyhost/socket.hpp"

using namespace krait;
using namespace krait::pyhost;

namespace {

SocketAddress address(const char* text, uint16_t port = 80) {
  SocketAddress a{0, port, 0, {}};
  if (inet_pton(AF_INET, text, a.bytes.data()) == 1) a.family = 4;
  else if (inet_pton(AF_INET6, text, a.bytes.data()) == 1) a.family = 6;
  REQUIRE(a.family != 0);
  return a;
}

NetPolicy policy(const char* connect) {
  NetPolicy p;
  REQUIRE(p.allow_connect(connect).ok());
  return p;
}

}  // namespace

TEST_CASE("Only addresses of the global internet are public, in whatever form") {
  for (const char* text : {"1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"}) CHECK_MESSAGE(address(text).is_public(), text);
  for (const char* text : {"0.0.0.0", "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
                           "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
                           "64:ff9b::7f00:1", "::127.0.0.1", "2001::1"})
    CHECK_FALSE_MESSAGE(address(text).is_public(), text);
}

TEST_CASE("A policy names hosts by number, by name, or all public ones") {
  CHECK(policy("10.0.0.1:80").may_connect(address("10.0.0.1"), {}));
  CHECK(policy("10.0.0.1:80").may_connect(address("::ffff:10.0.0.1"), {}));
  CHECK_FALSE(policy("10.0.0.1:80").may_connect(address("10.0.0.1", 81), {}));
  CHECK_FALSE(policy("10.0.0.1:80").may_connect(address("10.0.0.2"), {}));
  CHECK(policy("1.1.1.1:1,[::1]:*").may_connect(address("::1", 9), {}));
  CHECK(policy("localhost:*").may_connect(address("127.0.0.1"), {}));
  CHECK(policy("*:80").may_connect(address("1.1.1.1"), {}));
  CHECK_FALSE(policy("*:*").may_connect(address("127.0.0.1"), {}));
  CHECK_FALSE(policy("*:*").may_connect(address("0.0.0.0"), {}));
}

TEST_CASE("A policy names ports to listen on, or all of them") {
  NetPolicy some, all;
  REQUIRE(some.allow_listen("0,8080").ok());
  REQUIRE(all.allow_listen("*").ok());
  CHECK(some.may_listen(8080));
  CHECK(some.may_listen(0));
  CHECK_FALSE(some.may_listen(8081));
  CHECK(all.may_listen(8081));
  CHECK_FALSE(NetPolicy().may_listen(0));
  CHECK_FALSE(some.allow_listen("80,x").ok());
}

TEST_CASE("A name opens the public addresses that it was found to have, and no private ones") {
  const NetPolicy p = policy("Example.org.:80");
  CHECK(p.may_resolve("example.org"));
  CHECK_FALSE(p.may_resolve("other.org"));
  const std::vector<NetPolicy::Known> known = {{"example.org", address("1.1.1.1")}, {"example.org", address("127.0.0.1")}, {"other.org", address("8.8.8.8")}};
  CHECK(p.may_connect(address("1.1.1.1"), known));
  CHECK_FALSE(p.may_connect(address("1.1.1.1"), {}));
  CHECK_FALSE(p.may_connect(address("127.0.0.1"), known));
  CHECK_FALSE(p.may_connect(address("8.8.8.8"), known));
}

TEST_CASE("Bytes unread in pairs and pipes are bounded for a sandbox, and come back with the ends") {
  Network network(nullptr, 0);
  CHECK(network.open(4, FileType::SocketStream).error() == Errno::Access);
  std::vector<std::byte> block(size_t{64} << 10);
  const iovec all{block.data(), block.size()};
  std::vector<Network::Ends> kept;
  const auto fill = [&] {
    kept.push_back(network.pair(FileType::SocketStream));
    return kept.back().first->write({&all, 1});
  };
  uint64_t written = 0;
  for (;;) {
    auto count = fill();
    if (!count) {
      CHECK(count.error() == Errno::NoBufs);
      break;
    }
    written += *count;
    REQUIRE(written <= Network::PairBytes);
  }
  CHECK(written == Network::PairBytes);
  kept.clear();
  CHECK(fill().ok());
}

TEST_CASE("An end tells what would not wait") {
  Network network(nullptr, 0);
  auto [reader, writer] = network.pipe();
  char c = 'x';
  const iovec one{&c, 1};
  CHECK(reader->ready(POLLIN) == 0);
  CHECK(reader->read({&one, 1}).error() == Errno::Again);
  CHECK(reader->write({&one, 1}).error() == Errno::BadF);
  CHECK(writer->ready(POLLOUT) == POLLOUT);
  CHECK(*writer->write({&one, 1}) == 1);
  CHECK(reader->ready(POLLIN) == POLLIN);
  writer.reset();
  CHECK(*reader->read({&one, 1}) == 1);
  CHECK(*reader->read({&one, 1}) == 0);
  CHECK(reader->ready(POLLIN) == (POLLIN | POLLHUP));
}
