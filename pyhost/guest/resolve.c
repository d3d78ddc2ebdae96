// getaddrinfo and its kin: numbers, localhost and a few services are known here, other names the host is asked for.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait_socket.h"

enum { MostAddresses = 16 };

int h_errno;

static const struct {
  const char* name;
  int port;
} services[] = {{"domain", 53}, {"echo", 7}, {"ftp", 21}, {"http", 80}, {"https", 443}, {"smtp", 25}, {"ssh", 22}, {"telnet", 23}};
enum { ServiceCount = sizeof services / sizeof services[0] };

static int port_of(const char* service, int flags) {
  if (!service || !*service) return 0;
  char* end = NULL;
  const long port = strtol(service, &end, 10);
  if (*end == 0) return port >= 0 && port <= 65535 ? (int)port : -1;
  if (flags & AI_NUMERICSERV) return -1;
  for (int i = 0; i < ServiceCount; i++)
    if (strcmp(services[i].name, service) == 0) return services[i].port;
  return -1;
}

static int add(struct krait_address* all, int count, int family, const void* bytes) {
  memset(&all[count], 0, sizeof all[count]);
  all[count].family = (uint16_t)family;
  memcpy(all[count].bytes, bytes, family == 4 ? 4 : 16);
  return count + 1;
}

/// Addresses of a host into `all`: how many, or an EAI_ error.
static int find(const char* host, int family, int flags, struct krait_address* all) {
  static const uint8_t loopback4[4] = {127, 0, 0, 1}, any[16] = {0};
  static const uint8_t loopback6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  uint8_t bytes[16];
  const int passive = !host && flags & AI_PASSIVE;
  if (!host || strcmp(host, "localhost") == 0) {
    if (family == AF_INET6) return add(all, 0, 6, passive ? any : loopback6);
    return add(all, 0, 4, passive ? any : loopback4);
  }
  if (inet_pton(AF_INET, host, bytes) == 1) return family == AF_INET6 ? EAI_NONAME : add(all, 0, 4, bytes);
  char number[64];
  snprintf(number, sizeof number, "%s", host);
  char* scope = strchr(number, '%');
  if (scope) *scope++ = 0;
  if (inet_pton(AF_INET6, number, bytes) == 1) {
    if (family == AF_INET) return EAI_NONAME;
    add(all, 0, 6, bytes);
    if (scope) all[0].scope = (uint32_t)strtoul(scope, NULL, 10);
    return 1;
  }
  if (flags & AI_NUMERICHOST) return EAI_NONAME;
  int32_t count = 0;
  const int32_t error = krait_sock_resolve(host, (int32_t)strlen(host), all, MostAddresses, &count);
  if (error == ENOENT) return EAI_NONAME;
  if (error == EAGAIN) return EAI_AGAIN;
  if (error) {
    errno = error < 0 ? -error : error;
    return EAI_SYSTEM;
  }
  return count;
}

static struct addrinfo* node_of(const struct krait_address* address, int type, int port) {
  struct room {
    struct addrinfo info;
    union {
      struct sockaddr_in in;
      struct sockaddr_in6 in6;
    } address;
  }* room = calloc(1, sizeof *room);
  if (!room) return NULL;
  struct addrinfo* info = &room->info;
  info->ai_socktype = type;
  info->ai_protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  info->ai_addr = (struct sockaddr*)&room->address;
  if (address->family == 4) {
    info->ai_family = room->address.in.sin_family = AF_INET;
    room->address.in.sin_port = htons((uint16_t)port);
    memcpy(&room->address.in.sin_addr, address->bytes, 4);
    info->ai_addrlen = sizeof room->address.in;
  } else {
    info->ai_family = room->address.in6.sin6_family = AF_INET6;
    room->address.in6.sin6_port = htons((uint16_t)port);
    room->address.in6.sin6_scope_id = address->scope;
    memcpy(&room->address.in6.sin6_addr, address->bytes, 16);
    info->ai_addrlen = sizeof room->address.in6;
  }
  return info;
}

int getaddrinfo(const char* host, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
  static const struct addrinfo none;
  if (!hints) hints = &none;
  if (!host && !service) return EAI_NONAME;
  const int family = hints->ai_family, type = hints->ai_socktype;
  if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) return EAI_FAMILY;
  if (type != 0 && type != SOCK_STREAM && type != SOCK_DGRAM) return EAI_SOCKTYPE;
  const int port = port_of(service, hints->ai_flags);
  if (port < 0) return EAI_SERVICE;
  struct krait_address all[MostAddresses];
  const int count = find(host, family, hints->ai_flags, all);
  if (count < 0) return count;
  struct addrinfo *first = NULL, **next = &first;
  for (int i = 0; i < count; i++) {
    if (family != AF_UNSPEC && (family == AF_INET) != (all[i].family == 4)) continue;
    const int types[] = {SOCK_STREAM, SOCK_DGRAM}, protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
    for (int k = 0; k < 2; k++) {
      if ((type != 0 && type != types[k]) || (hints->ai_protocol != 0 && hints->ai_protocol != protocols[k])) continue;
      *next = node_of(&all[i], types[k], port);
      if (!*next) {
        freeaddrinfo(first);
        return EAI_MEMORY;
      }
      next = &(*next)->ai_next;
    }
  }
  if (!first) return EAI_NONAME;
  if (hints->ai_flags & AI_CANONNAME) first->ai_canonname = strdup(host ? host : "localhost");
  *result = first;
  return 0;
}

void freeaddrinfo(struct addrinfo* list) {
  while (list) {
    struct addrinfo* next = list->ai_next;
    free(list->ai_canonname);
    free(list);
    list = next;
  }
}

int getnameinfo(const struct sockaddr* address, socklen_t size, char* host, socklen_t host_size, char* service,
                socklen_t service_size, int flags) {
  const int v4 = address->sa_family == AF_INET;
  if (!v4 && address->sa_family != AF_INET6) return EAI_FAMILY;
  if (flags & NI_NAMEREQD) return EAI_NONAME;  // addresses have no names here
  const struct sockaddr_in* in = (const void*)address;
  const struct sockaddr_in6* in6 = (const void*)address;
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address->sa_family, v4 ? (const void*)&in->sin_addr : (const void*)&in6->sin6_addr, text, sizeof text);
  char scope[16] = "";
  if (!v4 && in6->sin6_scope_id) snprintf(scope, sizeof scope, "%%%u", (unsigned)in6->sin6_scope_id);
  if (host && host_size && (socklen_t)snprintf(host, host_size, "%s%s", text, scope) >= host_size) return EAI_OVERFLOW;
  const int port = ntohs(v4 ? in->sin_port : in6->sin6_port);
  const struct servent* known = flags & NI_NUMERICSERV ? NULL : getservbyport(htons((uint16_t)port), NULL);
  if (!service || !service_size) return 0;
  const int written = known ? snprintf(service, service_size, "%s", known->s_name) : snprintf(service, service_size, "%d", port);
  return (socklen_t)written >= service_size ? EAI_OVERFLOW : 0;
}

const char* gai_strerror(int error) {
  switch (error) {
    case EAI_NONAME: return "Name or service not known";
    case EAI_AGAIN: return "Temporary failure in name resolution";
    case EAI_FAMILY: return "ai_family not supported";
    case EAI_SOCKTYPE: return "ai_socktype not supported";
    case EAI_SERVICE: return "Servname not supported for ai_socktype";
    case EAI_MEMORY: return "Memory allocation failure";
    case EAI_SYSTEM: return "System error";
    case EAI_OVERFLOW: return "Argument buffer overflow";
    case EAI_BADFLAGS: return "Bad value for ai_flags";
    default: return "Non-recoverable failure in name resolution";
  }
}

// One thread: these own their results, as everywhere.
struct hostent* gethostbyname(const char* name) {
  static char own[256];
  static uint8_t addresses[MostAddresses][4];
  static char *list[MostAddresses + 1], *aliases[1];
  static struct hostent host = {own, aliases, AF_INET, 4, list};
  struct krait_address all[MostAddresses];
  const int count = find(name, AF_INET, 0, all);
  int used = 0;
  for (int i = 0; i < count; i++) {
    if (all[i].family != 4) continue;
    memcpy(addresses[used], all[i].bytes, 4);
    list[used] = (char*)addresses[used];
    used++;
  }
  list[used] = NULL;
  h_errno = HOST_NOT_FOUND;
  snprintf(own, sizeof own, "%s", name);
  return used == 0 ? NULL : &host;
}

struct hostent* gethostbyaddr(const void* address, socklen_t size, int family) {
  static const uint8_t loopback4[4] = {127, 0, 0, 1};
  h_errno = HOST_NOT_FOUND;
  return family == AF_INET && size == 4 && memcmp(address, loopback4, 4) == 0 ? gethostbyname("localhost") : NULL;
}

static struct servent* service_at(int i) {
  static char* aliases[1];
  static char tcp[] = "tcp";
  static struct servent service = {NULL, aliases, 0, tcp};
  service.s_name = (char*)services[i].name;
  service.s_port = htons((uint16_t)services[i].port);
  return &service;
}
struct servent* getservbyname(const char* name, const char* protocol) {
  for (int i = 0; i < ServiceCount; i++)
    if (strcmp(services[i].name, name) == 0) return service_at(i);
  return NULL;
}
struct servent* getservbyport(int port, const char* protocol) {
  for (int i = 0; i < ServiceCount; i++)
    if (services[i].port == ntohs((uint16_t)port)) return service_at(i);
  return NULL;
}

int gethostname(char* name, size_t size) {
  snprintf(name, size, "localhost");
  return 0;
}

char* inet_ntoa(struct in_addr address) {
  static char text[INET_ADDRSTRLEN];
  return (char*)inet_ntop(AF_INET, &address, text, sizeof text);
}
