// The module "krait"'s sockets as a hostile guest calls them: any numbers, from wasm.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <random>

#include "engine/store.hpp"
#include "pyhost/wasi_call.hpp"
#include "tests/support/wat.hpp"

using namespace krait;
using namespace krait::pyhost;
using namespace krait::test;

namespace {

template <typename... A>
constexpr size_t count_of(Errno (*)(Call&, A...)) {
  return sizeof...(A);
}

const std::map<std::string, size_t>& calls() {
  static const std::map<std::string, size_t> all = {
#define SOCKET(name, ...) {#name, count_of(&socket_calls::name)},
#include "pyhost/socket.def"
#undef SOCKET
  };
  return all;
}

/// No wait ends well: each is cut short, as by a cancel.
struct Cancelled final : Waiter {
  bool sleep_until(Deadline) override { return false; }
  bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override {
    return deadline && deadline->left() == 0 && blocking_waiter().poll(fds, deadline);
  }
  bool before_transfer(int, short) override { return false; }
  void yield() override {}
};

constexpr uint32_t MemoryBytes = 65536, Out = 1024, Address = 2048;

/// A sandbox whose guest is a memory and the calls.
class Guest {
 public:
  explicit Guest(std::shared_ptr<const NetPolicy> policy, uint32_t open_files = 32, uint32_t sockets = 8)
      : wasi_({{}, {}, {}, {}, open_files, &waiter_, std::move(policy), sockets}) {
    std::string imports, exports;
    for (const auto& [name, count] : calls()) {
      std::string type = "(param", arguments;
      for (size_t i = 0; i < count; i++) type += " i32", arguments += " (local.get " + std::to_string(i) + ")";
      type += ") (result i32)";
      imports += "(func $" + name + " (import \"krait\" \"" + name + "\") " + type + ")\n";
      exports += "(func (export \"" + name + "\") " + type + " (call $" + name + arguments + "))\n";
    }
    auto module = engine::Module::compile(wat("(module " + imports + "(memory (export \"memory\") 1)\n" + exports + ")"));
    REQUIRE_MESSAGE(module.ok(), module.error().to_string());
    sandbox_.wasi = &wasi_;
    store_.host_data = &sandbox_;
    engine::Linker linker;
    define_sockets(linker);
    auto instance = linker.instantiate(store_, *module);
    REQUIRE(instance.ok());
    instance_ = *instance;
  }

  Errno call(const std::string& name, std::vector<uint32_t> values) {
    std::vector<engine::Slot> slots(values.begin(), values.end());
    slots.resize(std::max<size_t>(slots.size(), 1));
    const auto done = store_.call(*instance_->export_func(name), slots);
    REQUIRE_MESSAGE(done.ok(), name);
    REQUIRE(slots[0] <= 76);
    return static_cast<Errno>(slots[0]);
  }
  template <typename T>
  T& at(uint32_t address) {
    return *reinterpret_cast<T*>(instance_->export_memory("memory")->base() + address);
  }
  /// A descriptor that a call stored at Out.
  uint32_t opened(const std::string& name, std::vector<uint32_t> values) {
    REQUIRE(call(name, std::move(values)) == Errno::Success);
    return at<uint32_t>(Out);
  }
  Wasi& wasi() { return wasi_; }

 private:
  Cancelled waiter_;
  Wasi wasi_;
  Sandbox sandbox_;
  engine::Store store_;
  engine::Instance* instance_ = nullptr;
};

std::shared_ptr<const NetPolicy> loopback() {
  auto policy = std::make_shared<NetPolicy>();
  REQUIRE(policy->allow_connect("localhost:*").ok());
  REQUIRE(policy->allow_listen("0").ok());
  return policy;
}

constexpr uint32_t Stream = static_cast<uint32_t>(FileType::SocketStream), Datagram = static_cast<uint32_t>(FileType::SocketDgram);
constexpr uint32_t Nonblock = 1;

}  // namespace

TEST_CASE("socket calls give an errno whatever they are given") {
  Guest guest(loopback());
  guest.at<SocketAddress>(Address) = {4, 0, 0, {127, 0, 0, 1}};
  const uint32_t listening = guest.opened("sock_open", {4, Stream, 0, Out});
  REQUIRE(guest.call("sock_bind", {listening, Address}) == Errno::Success);
  REQUIRE(guest.call("sock_listen", {listening, 4}) == Errno::Success);
  guest.opened("sock_open", {6, Datagram, 0, Out});
  guest.opened("sock_pair", {Stream, 0, Out});
  guest.opened("sock_pair", {0, 0, Out});
  constexpr uint32_t Odd[] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 64, Out, Address, MemoryBytes - 8, MemoryBytes, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
  std::minstd_rand random(1);
  for (const auto& [name, count] : calls()) {
    for (int round = 0; round < 4000; round++) {
      std::vector<uint32_t> values;
      for (size_t i = 0; i < count; i++) values.push_back(Odd[random() % std::size(Odd)]);
      (void)guest.call(name, values);
      guest.at<SocketAddress>(Address) = {4, static_cast<uint16_t>(random() % 4), 0, {127, 0, 0, 1}};
    }
  }
  CHECK(guest.wasi().descriptors().open_count() <= 32);
}

TEST_CASE("what a socket call wants of memory lies inside, or it is a fault and nothing was done") {
  Guest guest(loopback());
  const size_t open = guest.wasi().descriptors().open_count();
  for (const uint32_t outside : {MemoryBytes, MemoryBytes - 3, 0xffffffffu, 0xfffffffcu}) {
    CAPTURE(outside);
    CHECK(guest.call("sock_open", {4, Stream, 0, outside}) == Errno::Fault);
    CHECK(guest.call("sock_pair", {Stream, 0, outside}) == Errno::Fault);
    CHECK(guest.call("sock_resolve", {Address, 9, outside, 2, Out}) == Errno::Fault);
    CHECK(guest.call("sock_resolve", {outside, 9, Address, 2, Out}) == Errno::Fault);
    CHECK(guest.wasi().descriptors().open_count() == open);
  }
  const uint32_t fd = guest.opened("sock_open", {4, Stream, Nonblock, Out});
  for (const uint32_t outside : {MemoryBytes, MemoryBytes - 23, 0xffffffffu}) {
    CAPTURE(outside);
    CHECK(guest.call("sock_bind", {fd, outside}) == Errno::Fault);
    CHECK(guest.call("sock_connect", {fd, outside}) == Errno::Fault);
    CHECK(guest.call("sock_address", {fd, 0, outside}) == Errno::Fault);
    CHECK(guest.call("sock_send", {fd, 0, 8, 0, outside, Out}) == Errno::Fault);
    CHECK(guest.call("sock_recv", {fd, 0, 8, 0, outside, Out}) == Errno::Fault);
    CHECK(guest.call("sock_send", {fd, outside, 24, 0, 0, Out}) == Errno::Fault);
    CHECK(guest.call("sock_recv", {fd, outside, 24, 0, 0, Out}) == Errno::Fault);
  }
  CHECK(guest.call("sock_send", {fd, 0, 0x80000000, 0, 0, Out}) == Errno::Inval);
  CHECK(guest.call("sock_recv", {fd, 0, 0xffffffff, 0, 0, Out}) == Errno::Inval);
  CHECK(guest.call("sock_send", {fd, 0, MemoryBytes + 1, 0, 0, Out}) == Errno::Fault);
}

TEST_CASE("addresses of no family, of another one and out of the policy are refused") {
  Guest guest(loopback());
  const uint32_t fd = guest.opened("sock_open", {4, Stream, Nonblock, Out});
  const auto with = [&](const char* call, SocketAddress address) {
    guest.at<SocketAddress>(Address) = address;
    return guest.call(call, {fd, Address});
  };
  CHECK(with("sock_connect", {0, 80, 0, {}}) == Errno::AfNoSupport);
  CHECK(with("sock_connect", {6, 80, 0, {}}) == Errno::AfNoSupport);
  CHECK(with("sock_connect", {77, 80, 0, {}}) == Errno::AfNoSupport);
  CHECK(with("sock_connect", {4, 80, 0, {10, 0, 0, 1}}) == Errno::Access);
  CHECK(with("sock_connect", {4, 80, 0, {0, 0, 0, 0}}) == Errno::Access);
  CHECK(with("sock_connect", {4, 80, 0, {8, 8, 8, 8}}) == Errno::Access);
  CHECK(with("sock_bind", {4, 81, 0, {127, 0, 0, 1}}) == Errno::Access);
  CHECK(with("sock_bind", {6, 0, 0, {}}) == Errno::AfNoSupport);
  CHECK(guest.call("sock_open", {5, Stream, 0, Out}) == Errno::AfNoSupport);
  CHECK(guest.call("sock_open", {65540, Stream, 0, Out}) == Errno::AfNoSupport);
  CHECK(guest.call("sock_open", {4, 256 + Stream, 0, Out}) == Errno::ProtoType);
  CHECK(guest.call("sock_connect", {0, Address}) == Errno::NotSock);
  CHECK(guest.call("sock_connect", {31, Address}) == Errno::BadF);
}

TEST_CASE("without a policy there are pairs and no more") {
  Guest guest(nullptr);
  CHECK(guest.call("sock_open", {4, Stream, 0, Out}) == Errno::Access);
  std::memcpy(&guest.at<char>(Address), "localhost", 9);
  CHECK(guest.call("sock_resolve", {Address, 9, Address, 2, Out}) == Errno::Access);
  CHECK(guest.call("sock_pair", {Stream, 0, Out}) == Errno::Success);
}

TEST_CASE("sockets count as open files, and have a bound of their own") {
  Guest files(loopback(), 6, 8);
  CHECK(files.call("sock_pair", {Stream, 0, Out}) == Errno::Success);
  CHECK(files.call("sock_open", {4, Stream, 0, Out}) == Errno::Success);
  CHECK(files.call("sock_open", {4, Stream, 0, Out}) == Errno::MFile);
  CHECK(files.call("sock_pair", {Stream, 0, Out}) == Errno::MFile);
  CHECK(files.wasi().descriptors().open_count() == 6);
  Guest sockets(loopback(), 32, 2);
  const uint32_t first = sockets.opened("sock_open", {4, Stream, 0, Out});
  CHECK(sockets.call("sock_open", {4, Datagram, 0, Out}) == Errno::Success);
  CHECK(sockets.call("sock_open", {4, Stream, 0, Out}) == Errno::MFile);
  CHECK(sockets.wasi().descriptors().close(first) == Errno::Success);
  CHECK(sockets.call("sock_open", {4, Stream, 0, Out}) == Errno::Success);
}

TEST_CASE("a wait that is cut short is EINTR, and the socket stays as it was") {
  Guest guest(loopback());
  guest.at<SocketAddress>(Address) = {4, 0, 0, {127, 0, 0, 1}};
  const uint32_t fd = guest.opened("sock_open", {4, Stream, 0, Out});
  REQUIRE(guest.call("sock_bind", {fd, Address}) == Errno::Success);
  REQUIRE(guest.call("sock_listen", {fd, 4}) == Errno::Success);
  CHECK(guest.call("sock_accept", {fd, 0, Out, 0}) == Errno::Intr);
  REQUIRE(guest.call("sock_address", {fd, 0, Address}) == Errno::Success);
  CHECK(guest.at<SocketAddress>(Address).port != 0);
  const uint32_t client = guest.opened("sock_open", {4, Stream, 0, Out});
  REQUIRE(guest.call("sock_connect", {client, Address}) == Errno::Intr);  // it goes on, as after a signal
  CHECK(guest.call("sock_recv", {client, 0, 8, 0, 0, Out}) == Errno::Intr);
}

TEST_CASE("a pair's end with nobody to wake it is a deadlock, not a wait") {
  Guest guest(nullptr);
  const uint32_t fd = guest.opened("sock_pair", {Stream, 0, Out});
  CHECK(guest.call("sock_recv", {fd, 0, 8, 0, 0, Out}) == Errno::DeadLk);
  CHECK(guest.call("sock_recv", {fd, 0, 8, 4, 0, Out}) == Errno::Again);  // DontWait
  CHECK(guest.call("sock_accept", {fd, 0, Out, 0}) == Errno::Inval);
  CHECK(guest.call("sock_bind", {fd, Address}) == Errno::NotSup);
}
