// BSD's sockets over the imports of krait_socket.h: what CPython's _socket is compiled against. They come before libc's
// archive at the link, whose own accept, send, recv and getsockopt know preview 1's sockets only.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "krait_socket.h"

static int failed(int32_t error) {
  errno = error < 0 ? -error : error;
  return -1;
}
static int done(int32_t error) { return error == 0 ? 0 : failed(error); }

static int flags_of(int type) { return type & SOCK_NONBLOCK ? KRAIT_SOCKET_NONBLOCK : 0; }
static int plain(int type) { return type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC); }

static int to_wire(const struct sockaddr* from, socklen_t size, struct krait_address* to) {
  memset(to, 0, sizeof *to);
  if (from->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
    const struct sockaddr_in* in = (const void*)from;
    to->family = 4;
    to->port = ntohs(in->sin_port);
    memcpy(to->bytes, &in->sin_addr, 4);
    return 0;
  }
  if (from->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
    const struct sockaddr_in6* in = (const void*)from;
    to->family = 6;
    to->port = ntohs(in->sin6_port);
    to->scope = in->sin6_scope_id;
    memcpy(to->bytes, &in->sin6_addr, 16);
    return 0;
  }
  return failed(EAFNOSUPPORT);
}

/// As much of it as `size` has room for; `size` becomes its own length.
static void from_wire(const struct krait_address* from, struct sockaddr* to, socklen_t* size) {
  if (!to || !size) return;
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address;
  memset(&address, 0, sizeof address);
  socklen_t length = sizeof(struct sockaddr);
  if (from->family == 4) {
    address.in.sin_family = AF_INET;
    address.in.sin_port = htons(from->port);
    memcpy(&address.in.sin_addr, from->bytes, 4);
    length = sizeof address.in;
  } else if (from->family == 6) {
    address.in6.sin6_family = AF_INET6;
    address.in6.sin6_port = htons(from->port);
    address.in6.sin6_scope_id = from->scope;
    memcpy(&address.in6.sin6_addr, from->bytes, 16);
    length = sizeof address.in6;
  } else {
    length = 0;  // no peer, or a pair's end, which has no name
  }
  memcpy(to, &address, length < *size ? length : *size);
  *size = length;
}

int socket(int domain, int type, int protocol) {
  int32_t fd = -1;
  if (domain != AF_INET && domain != AF_INET6) return failed(EAFNOSUPPORT);
  if (plain(type) != SOCK_STREAM && plain(type) != SOCK_DGRAM) return failed(EPROTOTYPE);
  if (protocol != 0 && protocol != (plain(type) == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP)) return failed(EPROTONOSUPPORT);
  const int32_t error = krait_sock_open(domain == AF_INET ? 4 : 6, plain(type), flags_of(type), &fd);
  return error ? failed(error) : fd;
}

int socketpair(int domain, int type, int protocol, int fds[2]) {
  if (domain != AF_UNIX && domain != AF_INET) return failed(EAFNOSUPPORT);
  if (plain(type) != SOCK_STREAM && plain(type) != SOCK_DGRAM) return failed(EPROTOTYPE);
  if (protocol != 0) return failed(EPROTONOSUPPORT);
  return done(krait_sock_pair(plain(type), flags_of(type), (int32_t*)fds));
}

int pipe2(int fds[2], int flags) { return done(krait_sock_pair(0, flags & O_NONBLOCK ? KRAIT_SOCKET_NONBLOCK : 0, (int32_t*)fds)); }
int pipe(int fds[2]) { return pipe2(fds, 0); }

int bind(int fd, const struct sockaddr* address, socklen_t size) {
  struct krait_address wire;
  return to_wire(address, size, &wire) < 0 ? -1 : done(krait_sock_bind(fd, &wire));
}
int connect(int fd, const struct sockaddr* address, socklen_t size) {
  struct krait_address wire;
  return to_wire(address, size, &wire) < 0 ? -1 : done(krait_sock_connect(fd, &wire));
}
int listen(int fd, int backlog) { return done(krait_sock_listen(fd, backlog)); }

int accept4(int fd, struct sockaddr* restrict address, socklen_t* restrict size, int flags) {
  struct krait_address from;
  int32_t accepted = -1;
  const int32_t error = krait_sock_accept(fd, flags_of(flags), &accepted, &from);
  if (error) return failed(error);
  from_wire(&from, address, size);
  return accepted;
}
int accept(int fd, struct sockaddr* restrict address, socklen_t* restrict size) { return accept4(fd, address, size, 0); }

static int name_of(int fd, int peer, struct sockaddr* address, socklen_t* size) {
  struct krait_address name;
  const int32_t error = krait_sock_address(fd, peer, &name);
  if (error) return failed(error);
  from_wire(&name, address, size);
  return 0;
}
int getsockname(int fd, struct sockaddr* restrict address, socklen_t* restrict size) { return name_of(fd, 0, address, size); }
int getpeername(int fd, struct sockaddr* restrict address, socklen_t* restrict size) { return name_of(fd, 1, address, size); }

static int option_of(int level, int name) {
  static const struct {
    int level, name, option;
  } options[] = {
      {SOL_SOCKET, SO_ERROR, KRAIT_OPTION_ERROR},         {SOL_SOCKET, SO_REUSEADDR, KRAIT_OPTION_REUSEADDR},
      {SOL_SOCKET, SO_KEEPALIVE, KRAIT_OPTION_KEEPALIVE}, {SOL_SOCKET, SO_BROADCAST, KRAIT_OPTION_BROADCAST},
      {SOL_SOCKET, SO_SNDBUF, KRAIT_OPTION_SNDBUF},       {SOL_SOCKET, SO_RCVBUF, KRAIT_OPTION_RCVBUF},
      {SOL_SOCKET, SO_ACCEPTCONN, KRAIT_OPTION_ACCEPTCONN}, {SOL_SOCKET, SO_TYPE, KRAIT_OPTION_TYPE},
      {SOL_SOCKET, SO_DOMAIN, KRAIT_OPTION_FAMILY},       {IPPROTO_TCP, TCP_NODELAY, KRAIT_OPTION_NODELAY},
      {IPPROTO_IPV6, IPV6_V6ONLY, KRAIT_OPTION_V6ONLY},
  };
  for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++)
    if (options[i].level == level && options[i].name == name) return options[i].option;
  return -1;
}

int getsockopt(int fd, int level, int name, void* restrict value, socklen_t* restrict size) {
  const int option = option_of(level, name);
  if (option < 0) return failed(ENOPROTOOPT);
  int32_t result = 0;
  const int32_t error = krait_sock_get_option(fd, option, &result);
  if (error) return failed(error);
  if (option == KRAIT_OPTION_FAMILY) result = result == 4 ? AF_INET : result == 6 ? AF_INET6 : AF_UNIX;
  memcpy(value, &result, *size < sizeof result ? *size : sizeof result);
  if (*size > sizeof result) *size = sizeof result;
  return 0;
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) {
  const int option = option_of(level, name);
  if (option < 0) return failed(ENOPROTOOPT);
  int32_t wanted = 0;
  if (!value || size < sizeof wanted) return failed(EINVAL);
  memcpy(&wanted, value, sizeof wanted);
  return done(krait_sock_set_option(fd, option, wanted));
}

static int32_t message_flags(int flags, int* unknown) {
  *unknown = flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_NOSIGNAL);
  return (flags & MSG_PEEK ? KRAIT_MESSAGE_PEEK : 0) | (flags & MSG_DONTWAIT ? KRAIT_MESSAGE_DONTWAIT : 0);
}

ssize_t sendto(int fd, const void* data, size_t size, int flags, const struct sockaddr* to, socklen_t to_size) {
  struct krait_address wire;
  int unknown = 0;
  int32_t sent = 0;
  const int32_t wanted = message_flags(flags, &unknown);
  if (unknown) return failed(EOPNOTSUPP);
  if (to && to_wire(to, to_size, &wire) < 0) return -1;
  const int32_t error = krait_sock_send(fd, data, (int32_t)size, wanted, to ? &wire : NULL, &sent);
  return error ? failed(error) : sent;
}
ssize_t send(int fd, const void* data, size_t size, int flags) { return sendto(fd, data, size, flags, NULL, 0); }

ssize_t recvfrom(int fd, void* data, size_t size, int flags, struct sockaddr* from, socklen_t* from_size) {
  struct krait_address wire;
  int unknown = 0;
  int32_t received = 0;
  const int32_t wanted = message_flags(flags, &unknown);
  if (unknown) return failed(EOPNOTSUPP);
  const int32_t error = krait_sock_recv(fd, data, (int32_t)size, wanted, &wire, &received);
  if (error) return failed(error);
  from_wire(&wire, from, from_size);
  return received;
}
ssize_t recv(int fd, void* data, size_t size, int flags) { return recvfrom(fd, data, size, flags, NULL, NULL); }
