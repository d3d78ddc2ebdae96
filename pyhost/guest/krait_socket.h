/// Sockets: what krait_host.h is for the rest. All return 0 or a WASI errno; all may end the wait of a blocking
/// descriptor with 27 (intr). A descriptor is one of WASI's: read, write, poll, shutdown and close are preview 1's calls.
#pragma once
#include <stdint.h>

#include "krait_host.h"

struct krait_address {
  uint16_t family;  // 4, 6; 0: none
  uint16_t port;
  uint32_t scope;
  uint8_t bytes[16];  // in network order; 4 of them for IPv4
};

enum krait_socket_flag { KRAIT_SOCKET_NONBLOCK = 1 };
enum krait_message_flag { KRAIT_MESSAGE_PEEK = 1, KRAIT_MESSAGE_DONTWAIT = 4 };
enum krait_socket_option {
  KRAIT_OPTION_ERROR = 0,
  KRAIT_OPTION_REUSEADDR = 1,
  KRAIT_OPTION_KEEPALIVE = 2,
  KRAIT_OPTION_BROADCAST = 3,
  KRAIT_OPTION_SNDBUF = 4,
  KRAIT_OPTION_RCVBUF = 5,
  KRAIT_OPTION_ACCEPTCONN = 6,
  KRAIT_OPTION_NODELAY = 7,
  KRAIT_OPTION_V6ONLY = 8,
  KRAIT_OPTION_FAMILY = 9,
  KRAIT_OPTION_TYPE = 10
};

/// `type`: 5 datagrams, 6 a stream, as WASI's file types. EACCES where the sandbox has no network.
KRAIT_IMPORT(sock_open) int32_t krait_sock_open(int32_t family, int32_t type, int32_t flags, int32_t* fd);
/// Two ends in the sandbox's own memory. `type` 0: a pipe, fds[0] its reading end.
KRAIT_IMPORT(sock_pair) int32_t krait_sock_pair(int32_t type, int32_t flags, int32_t* fds);
KRAIT_IMPORT(sock_bind) int32_t krait_sock_bind(int32_t fd, const struct krait_address* address);
/// 26 (inprogress) at once where the descriptor does not block; poll, then KRAIT_OPTION_ERROR.
KRAIT_IMPORT(sock_connect) int32_t krait_sock_connect(int32_t fd, const struct krait_address* address);
KRAIT_IMPORT(sock_listen) int32_t krait_sock_listen(int32_t fd, int32_t backlog);
KRAIT_IMPORT(sock_accept)
int32_t krait_sock_accept(int32_t fd, int32_t flags, int32_t* accepted, struct krait_address* from);
KRAIT_IMPORT(sock_address) int32_t krait_sock_address(int32_t fd, int32_t peer, struct krait_address* address);
KRAIT_IMPORT(sock_get_option) int32_t krait_sock_get_option(int32_t fd, int32_t option, int32_t* value);
KRAIT_IMPORT(sock_set_option) int32_t krait_sock_set_option(int32_t fd, int32_t option, int32_t value);
/// `to` may be null. `sent` gets the count.
KRAIT_IMPORT(sock_send)
int32_t krait_sock_send(int32_t fd, const void* data, int32_t size, int32_t flags, const struct krait_address* to,
                        int32_t* sent);
/// `from` may be null; of family 0 where the socket has a peer.
KRAIT_IMPORT(sock_recv)
int32_t krait_sock_recv(int32_t fd, void* data, int32_t size, int32_t flags, struct krait_address* from, int32_t* received);
/// The addresses of a name; `count` gets how many, `most` at most. 2 (access): the name may not be asked for; 44 (noent): it
/// has none.
KRAIT_IMPORT(sock_resolve)
int32_t krait_sock_resolve(const char* name, int32_t size, struct krait_address* addresses, int32_t most, int32_t* count);
