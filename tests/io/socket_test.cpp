// Sockets over loopback: streams, timeouts, cancels, the acceptor's back-pressure.
#include <netinet/in.h>

#include <memory>
#include <string>
#include <vector>

#include "io/file.hpp"
#include "io/ring.hpp"
#include "io/socket.hpp"
#include "tests/io/fixture.hpp"

namespace krait::io {

namespace {

struct Listener {
  Listener() {
    auto listening = listen_tcp("127.0.0.1", 0);
    REQUIRE_MESSAGE(listening, listening.error().message);
    fd = *listening;
    port = static_cast<uint16_t>(local_port(fd));
  }
  ~Listener() { ::close(fd); }
  int fd;
  uint16_t port;
};

void echo(int fd) {
  char buffer[4096];
  int got;
  while ((got = recv(fd, buffer, sizeof buffer)) > 0) {
    if (send_all(fd, {buffer, static_cast<size_t>(got)}) != 0) break;
  }
  close(fd);
}

std::string exchange(int fd, const std::string& text) {
  REQUIRE(send_all(fd, text) == 0);
  std::string answer(text.size(), 0);
  REQUIRE(io::recv(fd, answer.data(), answer.size(), MSG_WAITALL) == static_cast<int>(text.size()));
  return answer;
}

}  // namespace

TEST_CASE("a hundred clients talk to an echo server") {
  for (unsigned level = 0; level <= Ring::MaxLevel; ++level) {
    CAPTURE(level);
    in_coroutine(
        [] {
          Listener listener;
          Scope server;
          server.spawn([&] {
            Acceptor acceptor(listener.fd, 8);
            int fd;
            while ((fd = acceptor.next()) >= 0) server.spawn([fd] { echo(fd); });
            CHECK(fd == -ECANCELED);
          });
          Scope clients;
          int served = 0;
          for (int i = 0; i < 100; ++i) {
            clients.spawn([&, i] {
              const int fd = connect_tcp("127.0.0.1", listener.port);
              REQUIRE(fd >= 0);
              set_no_delay(fd);
              for (int round = 0; round < 5; ++round) {
                const std::string text =
                    std::string(static_cast<size_t>(i * 50 + 1), 'x') + std::to_string(round);
                CHECK(exchange(fd, text) == text);
              }
              CHECK(io::shutdown(fd, SHUT_WR) == 0);
              char byte;
              CHECK(recv(fd, &byte, 1) == 0);
              CHECK(close(fd) == 0);
              ++served;
            });
          }
          CHECK(clients.join() == 0);
          CHECK(served == 100);
        },
        {.shards = 1, .ring_level = level});
  }
}

TEST_CASE("accept, connect, recv and send time out and are cancelled") {
  in_coroutine([] {
    Listener listener;
    Scope scope;
    CHECK(accept(listener.fd, 2ms) == -ETIMEDOUT);
    Task victim = scope.spawn([&] { CHECK(accept(listener.fd) == -ECANCELED); });
    CHECK(sleep_for(1ms) == 0);
    victim.cancel();
    CHECK(victim.join() == 0);

    const int client = connect_tcp("127.0.0.1", listener.port, 5s);
    REQUIRE(client >= 0);
    const int server = accept(listener.fd, 5s);
    REQUIRE(server >= 0);
    char buffer[16];
    CHECK(recv(client, buffer, sizeof buffer, 0, 2ms) == -ETIMEDOUT);
    victim = scope.spawn([&] { CHECK(recv(client, buffer, sizeof buffer) == -ECANCELED); });
    CHECK(sleep_for(1ms) == 0);
    victim.cancel();
    CHECK(victim.join() == 0);

    // Nobody reads: the socket's buffers fill, and then a send waits.
    const std::string block(1 << 20, 'x');
    int sent;
    while ((sent = send(client, block.data(), block.size(), 0, 20ms)) > 0) {
    }
    CHECK(sent == -ETIMEDOUT);
    victim = scope.spawn([&] { CHECK(send_all(client, block) == -ECANCELED); });
    CHECK(sleep_for(1ms) == 0);
    victim.cancel();
    CHECK(victim.join() == 0);
    CHECK(close(server) == 0);
    CHECK(send(client, "x", 1) < 0);
    CHECK(close(client) == 0);
    CHECK(connect_tcp("no address", 1) == -EINVAL);
  });
}

TEST_CASE("a connection to nobody is refused") {
  in_coroutine([] {
    uint16_t port;
    {
      Listener listener;
      port = listener.port;
    }
    CHECK(connect_tcp("127.0.0.1", port) == -ECONNREFUSED);
    CHECK_FALSE(listen_tcp("nowhere", 0));
    Listener listener;
    const auto taken = listen_tcp("127.0.0.1", listener.port);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().message.find("cannot listen on 127.0.0.1") == 0);
  });
}

TEST_CASE("the acceptor holds back beyond its backlog and closes what nobody took") {
  in_coroutine([] {
    Listener listener;
    int clients[20];
    {
      Acceptor acceptor(listener.fd, 4);
      CHECK(acceptor.next(1ms) == -ETIMEDOUT);
      for (int& client : clients) {
        client = connect_tcp("127.0.0.1", listener.port, 5s);
        REQUIRE(client >= 0);
      }
      for (int i = 0; i < 10; ++i) {
        const int fd = acceptor.next(5s);
        REQUIRE(fd >= 0);
        CHECK(send_all(fd, "hi") == 0);
        CHECK(close(fd) == 0);
      }
    }
    ::close(listener.fd);
    // Ten were answered; the others see an end or a reset, none hangs.
    int answered = 0;
    for (const int client : clients) {
      char buffer[4];
      if (recv(client, buffer, sizeof buffer, 0, 5s) == 2) ++answered;
      CHECK(close(client) == 0);
    }
    CHECK(answered == 10);
    listener.fd = -1;
  });
}

TEST_CASE("a receiver gets the stream in order, in pieces of any size, and its end") {
  for (unsigned level = 0; level <= Ring::MaxLevel; ++level) {
    CAPTURE(level);
    in_coroutine(
        [] {
          int pair[2];
          REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
          Scope scope;
          constexpr size_t Total = 300'000;
          scope.spawn([&] {
            std::string bytes(Total, 0);
            for (size_t i = 0; i < Total; ++i) bytes[i] = static_cast<char>(i * 7 % 251);
            CHECK(send_all(pair[0], bytes) == 0);
            ::close(pair[0]);
          });
          Receiver receiver(pair[1]);
          char buffer[7000];
          size_t got = 0, wrong = 0;
          for (int size; (size = receiver.recv(buffer, 1 + got % sizeof buffer, 10s)) > 0;) {
            for (int i = 0; i < size; ++i) {
              if (buffer[i] != static_cast<char>(got++ * 7 % 251)) ++wrong;
            }
          }
          CHECK(got == Total);
          CHECK(wrong == 0);
          CHECK(receiver.recv(buffer, sizeof buffer) == 0);
          ::close(pair[1]);
        },
        {.shards = 1, .ring_level = level});
  }
}

TEST_CASE("a receiver times out, is cancelled, and can be dropped with data unread") {
  in_coroutine([] {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    Scope scope;
    char byte = 0;
    {
      Receiver receiver(pair[1]);
      CHECK(receiver.recv(&byte, 1, 2ms) == -ETIMEDOUT);
      Task victim = scope.spawn([&] { CHECK(receiver.recv(&byte, 1) == -ECANCELED); });
      CHECK(yield() == 0);
      victim.cancel();
      CHECK(victim.join() == 0);
      CHECK(send_all(pair[0], "ab") == 0);
      CHECK(receiver.recv(&byte, 1, 5s) == 1);
      CHECK(byte == 'a');
    }
    // The one that was not taken is gone with its receiver; what comes later is not.
    CHECK(send_all(pair[0], "c") == 0);
    CHECK(io::recv(pair[1], &byte, 1, 0, 5s) == 1);
    CHECK(byte == 'c');
    ::close(pair[0]);
    ::close(pair[1]);
  });
}

TEST_CASE("receivers that do not take their data cannot keep others from theirs") {
  in_coroutine([] {
    constexpr size_t Count = 200;  // times what each may hold: more than the shard's buffers
    int pairs[Count][2];
    std::vector<std::unique_ptr<Receiver>> receivers;
    const std::string block(100'000, 'x');
    Scope scope;
    char byte;
    for (auto& pair : pairs) {
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
      Receiver& receiver = *receivers.emplace_back(std::make_unique<Receiver>(pair[1]));
      scope.spawn([&] { CHECK(send_all(pair[0], block) == 0); });
      CHECK(receiver.recv(&byte, 1, 10s) == 1);
    }
    int right = 0;
    std::string rest(block.size(), 0);
    for (auto& receiver : receivers) {
      size_t got = 1;
      for (int size; got < block.size(); got += static_cast<size_t>(size)) {
        size = receiver->recv(rest.data(), rest.size(), 10s);
        REQUIRE(size > 0);
      }
      if (got == block.size()) ++right;
    }
    CHECK(right == Count);
    CHECK(scope.join() == 0);
    receivers.clear();
    for (auto& pair : pairs) {
      ::close(pair[0]);
      ::close(pair[1]);
    }
  });
}

TEST_CASE("messages with several parts") {
  in_coroutine([] {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    char a[2], b[3] = {};
    iovec in[] = {{a, 2}, {b, 3}};
    iovec out[] = {{const_cast<char*>("abc"), 3}, {const_cast<char*>("de"), 2}};
    msghdr message = {};
    message.msg_iov = out;
    message.msg_iovlen = 2;
    CHECK(sendmsg(pair[0], message) == 5);
    message.msg_iov = in;
    CHECK(recvmsg(pair[1], message) == 5);
    CHECK(std::string(a, 2) + std::string(b, 3) == "abcde");
    CHECK(recvmsg(pair[1], message, 0, 1ms) == -ETIMEDOUT);
    ::close(pair[0]);
    ::close(pair[1]);
  });
}

}  // namespace krait::io
