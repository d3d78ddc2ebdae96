/// What wasi-libc leaves out for preview 1 and CPython's _socket and posix want: BSD's sockets, resolver and pipes.
/// Defined in socket.c and resolve.c; force-included into those CPython modules.
#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef SO_REUSEADDR
#define SO_REUSEADDR 2
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
#endif
#ifndef SOMAXCONN
#define SOMAXCONN 128
#endif
#ifndef MSG_DONTWAIT
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#endif

int socket(int domain, int type, int protocol);
int socketpair(int domain, int type, int protocol, int fds[2]);
int bind(int fd, const struct sockaddr* address, socklen_t size);
int connect(int fd, const struct sockaddr* address, socklen_t size);
int listen(int fd, int backlog);
int getsockname(int fd, struct sockaddr* address, socklen_t* size);
int getpeername(int fd, struct sockaddr* address, socklen_t* size);
int setsockopt(int fd, int level, int name, const void* value, socklen_t size);
ssize_t sendto(int fd, const void* data, size_t size, int flags, const struct sockaddr* to, socklen_t to_size);
ssize_t recvfrom(int fd, void* data, size_t size, int flags, struct sockaddr* from, socklen_t* from_size);
int pipe(int fds[2]);
int pipe2(int fds[2], int flags);

struct addrinfo {
  int ai_flags, ai_family, ai_socktype, ai_protocol;
  socklen_t ai_addrlen;
  struct sockaddr* ai_addr;
  char* ai_canonname;
  struct addrinfo* ai_next;
};
struct hostent {
  char *h_name, **h_aliases;
  int h_addrtype, h_length;
  char** h_addr_list;
};
struct servent {
  char *s_name, **s_aliases;
  int s_port;
  char* s_proto;
};
#define h_addr h_addr_list[0]

#define AI_PASSIVE 0x01
#define AI_CANONNAME 0x02
#define AI_NUMERICHOST 0x04
#define AI_V4MAPPED 0x08
#define AI_ALL 0x10
#define AI_ADDRCONFIG 0x20
#define AI_NUMERICSERV 0x400
#define NI_NUMERICHOST 0x01
#define NI_NUMERICSERV 0x02
#define NI_NOFQDN 0x04
#define NI_NAMEREQD 0x08
#define NI_DGRAM 0x10
#define NI_MAXHOST 255
#define NI_MAXSERV 32
#define EAI_BADFLAGS -1
#define EAI_NONAME -2
#define EAI_AGAIN -3
#define EAI_FAIL -4
#define EAI_FAMILY -6
#define EAI_SOCKTYPE -7
#define EAI_SERVICE -8
#define EAI_MEMORY -10
#define EAI_SYSTEM -11
#define EAI_OVERFLOW -12
#define HOST_NOT_FOUND 1

extern int h_errno;
int getaddrinfo(const char* host, const char* service, const struct addrinfo* hints, struct addrinfo** result);
void freeaddrinfo(struct addrinfo* list);
int getnameinfo(const struct sockaddr* address, socklen_t size, char* host, socklen_t host_size, char* service,
                socklen_t service_size, int flags);
const char* gai_strerror(int error);
struct hostent* gethostbyname(const char* name);
struct hostent* gethostbyaddr(const void* address, socklen_t size, int family);
struct servent* getservbyname(const char* name, const char* protocol);
struct servent* getservbyport(int port, const char* protocol);
int gethostname(char* name, size_t size);
char* inet_ntoa(struct in_addr address);
