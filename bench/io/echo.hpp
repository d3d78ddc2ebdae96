// The echo bench's parts: servers under test and the load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace krait::bench {

constexpr size_t MessageSize = 512;

/// A server of one thread: echoes on `listener` until the process is killed.
using Server = void (*)(int listener);

void serve_krait(int listener);
void serve_epoll(int listener);
void serve_asio(int listener);

/// Clients in one thread, each with one message on the way at a time.
class Load {
 public:
  /// Connects, and exchanges a message on each connection.
  Load(uint16_t port, int connections);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  /// Returns the answers that came; each is checked for its length.
  uint64_t run(double seconds);

 private:
  uint64_t run_one(int64_t end);
  uint64_t run_many(int64_t end);
  std::vector<int> fds_;
};

}  // namespace krait::bench
