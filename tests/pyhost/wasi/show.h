// Each program prints what its calls gave; the runner compares that with the comment at the program's head.
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/// A libc call: its result, or the words for errno where it is negative.
#define SHOW(call)                                                     \
  do {                                                                 \
    errno = 0;                                                         \
    const long long shown = (long long)(call);                         \
    if (shown < 0) printf("%s: %s\n", #call, strerror(errno));         \
    else printf("%s: %lld\n", #call, shown);                           \
  } while (0)

/// A WASI call: the words for the errno that it returns.
#define SHOW_ERRNO(call)                                               \
  do {                                                                 \
    const int shown = (call);                                          \
    printf("%s: %s\n", #call, shown ? strerror(shown) : "ok");         \
  } while (0)

/// Something that should hold.
#define HOLDS(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")
