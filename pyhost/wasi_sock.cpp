// Sockets: preview 1's four calls and those of the module "krait" (guest/krait_socket.h), over socket.hpp. A wait is the Waiter's.
#include <algorithm>

#include "io/blocking.hpp"
#include "io/coroutine.hpp"
#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {
namespace {

enum SocketFlag : uint32_t { Nonblock = 1 };
enum MessageFlag : uint32_t { Peek = 1, DontWait = 4 };

IoResult<std::shared_ptr<Socket>> socket_of(Call& call, uint32_t fd, Rights needed) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if (!(*d)->file->as_socket()) {
    const FileType type = (*d)->file->type();  // of the host's stdio, perhaps
    return type == FileType::SocketStream || type == FileType::SocketDgram ? Errno::NotSup : Errno::NotSock;
  }
  if (needed & ~(*d)->base) return Errno::NotCapable;
  return std::shared_ptr<Socket>((*d)->file, (*d)->file->as_socket());
}

IoResult<uint32_t> add(Call& call, std::shared_ptr<File> file, Rights without = 0) {
  const Rights base = rights_of(*file) & ~without;
  return call.wasi.descriptors().add({std::move(file), base, 0, {}, nullptr});
}

/// One that was accepted, under a number of its own.
Errno accept_one(Call& call, uint32_t fd, uint16_t fd_flags, uint32_t result, uint32_t from) {
  auto socket = socket_of(call, fd, right::SockAccept);
  if (!socket) return socket.error();
  if (!call.bytes(result, sizeof(uint32_t)) || (from != 0 && !call.bytes(from, sizeof(SocketAddress)))) return Errno::Fault;
  if (call.wasi.descriptors().full()) return Errno::MFile;
  SocketAddress sender;
  std::shared_ptr<Socket> accepted;
  const bool nonblock = (*socket)->flags() & fd_flag::Nonblock;
  auto done = transfer(call, **socket, POLLIN, nonblock, [&](File&) -> IoResult<uint64_t> {
    auto one = (*socket)->accept(sender);
    if (!one) return one.error();
    accepted = std::move(*one);
    return uint64_t{0};
  });
  if (!done) return done.error();
  (void)accepted->set_flags(fd_flags);
  auto number = add(call, std::move(accepted));
  if (!number) return number.error();
  if (from != 0) (void)call.store(from, sender);
  return call.store(result, *number);
}

IoResult<std::vector<iovec>> one_buffer(Call& call, uint32_t data, uint32_t size) {
  if (size > INT32_MAX) return Errno::Inval;
  const auto bytes = call.bytes(data, size);
  if (!bytes) return Errno::Fault;
  return std::vector<iovec>{{bytes->data(), bytes->size()}};
}

IoResult<uint64_t> receive(Call& call, uint32_t fd, std::span<const iovec> to, bool peek, bool dont_wait, SocketAddress* from) {
  auto socket = socket_of(call, fd, right::FdRead);
  if (!socket) return socket.error();
  const bool nonblock = dont_wait || (*socket)->flags() & fd_flag::Nonblock;
  return transfer(call, **socket, POLLIN, nonblock, [&](File&) { return (*socket)->receive(to, peek, from); });
}

IoResult<uint64_t> send(Call& call, uint32_t fd, std::span<const iovec> from, bool dont_wait, const SocketAddress* to) {
  auto socket = socket_of(call, fd, right::FdWrite);
  if (!socket) return socket.error();
  const bool nonblock = dont_wait || (*socket)->flags() & fd_flag::Nonblock;
  return transfer(call, **socket, POLLOUT, nonblock, [&](File&) { return (*socket)->send(from, to); });
}

}  // namespace

namespace wasi_calls {

Errno sock_accept(Call& call, u32 fd, u32 flags, u32 result) {
  if (flags & ~u32{fd_flag::Nonblock}) return Errno::Inval;
  return accept_one(call, fd, static_cast<uint16_t>(flags), result, 0);
}

Errno sock_recv(Call& call, u32 fd, u32 iovs, u32 iovs_len, u32 flags, u32 result, u32 result_flags) {
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  if (flags & ~u32{Peek}) return Errno::NotSup;
  auto count = receive(call, fd, *buffers, flags & Peek, false, nullptr);
  if (!count) return count.error();
  if (const Errno e = call.store(result_flags, uint16_t{0}); e != Errno::Success) return e;
  return call.store(result, static_cast<u32>(*count));
}

Errno sock_send(Call& call, u32 fd, u32 iovs, u32 iovs_len, u32 flags, u32 result) {
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  if (flags != 0) return Errno::Inval;
  auto count = send(call, fd, *buffers, false, nullptr);
  return count ? call.store(result, static_cast<u32>(*count)) : count.error();
}

Errno sock_shutdown(Call& call, u32 fd, u32 how) {
  auto socket = socket_of(call, fd, right::SockShutdown);
  if (!socket) return socket.error();
  if (how == 0 || how > 3) return Errno::Inval;
  return errno_of((*socket)->shutdown(how & 1, how & 2));
}

}  // namespace wasi_calls

namespace socket_calls {

Errno sock_open(Call& call, u32 family, u32 type, u32 flags, u32 result) {
  if (!call.bytes(result, sizeof(u32))) return Errno::Fault;
  if (call.wasi.descriptors().full()) return Errno::MFile;
  auto socket = call.wasi.network().open(static_cast<uint16_t>(std::min(family, u32{UINT16_MAX})), static_cast<FileType>(std::min(type, u32{UINT8_MAX})));
  if (!socket) return socket.error();
  if (flags & Nonblock) (void)(*socket)->set_flags(fd_flag::Nonblock);
  auto fd = add(call, std::move(*socket));
  return fd ? call.store(result, *fd) : fd.error();
}

Errno sock_pair(Call& call, u32 type, u32 flags, u32 result) {
  if (!call.bytes(result, 2 * sizeof(u32))) return Errno::Fault;
  const auto kind = static_cast<FileType>(std::min(type, u32{UINT8_MAX}));
  if (kind != FileType::Unknown && kind != FileType::SocketStream && kind != FileType::SocketDgram) return Errno::ProtoType;
  auto [a, b] = kind == FileType::Unknown ? call.wasi.network().pipe() : call.wasi.network().pair(kind);
  for (File* end : {a.get(), b.get()})
    if (flags & Nonblock) (void)end->set_flags(fd_flag::Nonblock);
  const bool pipe = kind == FileType::Unknown;
  auto first = add(call, std::move(a), pipe ? right::FdWrite : 0);
  if (!first) return first.error();
  auto second = add(call, std::move(b), pipe ? right::FdRead : 0);
  if (!second) {
    (void)call.wasi.descriptors().close(*first);
    return second.error();
  }
  (void)call.store(result, *first);
  return call.store(result + sizeof(u32), *second);
}

Errno sock_bind(Call& call, u32 fd, u32 address) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  const auto to = call.load<SocketAddress>(address);
  return to ? errno_of((*socket)->bind(*to)) : Errno::Fault;
}

Errno sock_connect(Call& call, u32 fd, u32 address) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  const auto to = call.load<SocketAddress>(address);
  if (!to) return Errno::Fault;
  const auto begun = (*socket)->connect(*to);
  if (begun || begun.error() != Errno::InProgress || (*socket)->flags() & fd_flag::Nonblock) return errno_of(begun);
  if (!call.wasi.waiter().before_transfer((*socket)->poll_fd(), POLLOUT)) return Errno::Intr;
  auto error = (*socket)->option(SocketOption::Error);
  return error ? static_cast<Errno>(*error) : error.error();
}

Errno sock_listen(Call& call, u32 fd, u32 backlog) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  return errno_of((*socket)->listen(static_cast<int>(std::min(backlog, u32{INT32_MAX}))));
}

Errno sock_accept(Call& call, u32 fd, u32 flags, u32 result, u32 from) {
  return accept_one(call, fd, flags & Nonblock ? fd_flag::Nonblock : 0, result, from);
}

Errno sock_address(Call& call, u32 fd, u32 peer, u32 result) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  auto address = (*socket)->address(peer != 0);
  return address ? call.store(result, *address) : address.error();
}

Errno sock_get_option(Call& call, u32 fd, u32 option, u32 result) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  auto value = (*socket)->option(static_cast<SocketOption>(option));
  return value ? call.store(result, *value) : value.error();
}

Errno sock_set_option(Call& call, u32 fd, u32 option, u32 value) {
  auto socket = socket_of(call, fd, 0);
  if (!socket) return socket.error();
  return errno_of((*socket)->set_option(static_cast<SocketOption>(option), static_cast<int32_t>(value)));
}

Errno sock_send(Call& call, u32 fd, u32 data, u32 size, u32 flags, u32 to, u32 result) {
  auto buffer = one_buffer(call, data, size);
  if (!buffer) return buffer.error();
  std::optional<SocketAddress> address;
  if (to != 0 && !(address = call.load<SocketAddress>(to))) return Errno::Fault;
  auto count = send(call, fd, *buffer, flags & DontWait, address ? &*address : nullptr);
  return count ? call.store(result, static_cast<u32>(*count)) : count.error();
}

Errno sock_recv(Call& call, u32 fd, u32 data, u32 size, u32 flags, u32 from, u32 result) {
  auto buffer = one_buffer(call, data, size);
  if (!buffer) return buffer.error();
  if (from != 0 && !call.bytes(from, sizeof(SocketAddress))) return Errno::Fault;
  SocketAddress sender;
  auto count = receive(call, fd, *buffer, flags & Peek, flags & DontWait, &sender);
  if (!count) return count.error();
  if (from != 0) (void)call.store(from, sender);
  return call.store(result, static_cast<u32>(*count));
}

Errno sock_resolve(Call& call, u32 name, u32 size, u32 addresses, u32 most, u32 result) {
  constexpr u32 MostAddresses = 64, MostName = 255;
  most = std::min(most, MostAddresses);
  if (size == 0 || size > MostName) return Errno::Inval;
  if (!call.bytes(addresses, uint64_t{most} * sizeof(SocketAddress)) || !call.bytes(result, sizeof(u32))) return Errno::Fault;
  auto text = call.path(name, size);
  if (!text) return text.error();
  for (char& c : *text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (text->ends_with('.')) text->pop_back();
  if (const Errno refused = call.wasi.network().may_look_up(*text); refused != Errno::Success) return refused;
  Network::Found found;
  const int waited = call.wasi.waiter().wait_with([&] {
    const auto ask = [&] { found = Network::look_up(*text); };
    if (io::current()) return io::offload(ask);
    ask();
    return 0;
  });
  if (waited < 0) return waited == -EAGAIN ? Errno::Again : Errno::Intr;
  if (found.error != Errno::Success) return found.error;
  call.wasi.network().learn(*text, found);
  const u32 count = std::min(most, static_cast<u32>(found.addresses.size()));
  for (u64 i = 0; i < count; i++) (void)call.store(addresses + i * sizeof(SocketAddress), found.addresses[i]);
  return call.store(result, count);
}

}  // namespace socket_calls
}  // namespace krait::pyhost
