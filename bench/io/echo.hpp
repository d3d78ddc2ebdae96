// The echo bench's parts: servers under test and the load.
#pragma once

#include <cstddef>
#include <cstdint>

namespace krait::bench {

constexpr size_t MessageSize = 512;

/// A server of one thread: echoes on `listener` until the process is killed.
using Server = void (*)(int listener);

void serve_krait(int listener);
void serve_epoll(int listener);
void serve_asio(int listener);

/// `connections` clients in one thread, each with one message on the way at a time, for `seconds` after all are connected.
/// Returns the answers that came; each is checked for its length.
uint64_t load(uint16_t port, int connections, double seconds);

}  // namespace krait::bench
