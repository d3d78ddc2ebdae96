// A bounded queue between the coroutines of one shard.
#pragma once

#include <deque>
#include <utility>

#include "io/coroutine.hpp"

namespace krait::io {

/// Belongs to one shard, like sync.hpp. Values arrive in the order in which they were sent.
template <typename T>
class Channel {
 public:
  /// `capacity` values fit, at least one.
  explicit Channel(size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}

  /// Waits for room. 0; -EPIPE when closed; -ETIMEDOUT, -ECANCELED: the value is lost.
  int send(T value, Deadline deadline = {}) {
    while (!closed_ && values_.size() >= capacity_) {
      if (const int error = senders_.wait(deadline)) return error;
    }
    if (closed_) return -EPIPE;
    values_.push_back(std::move(value));
    receivers_.wake_one();
    return 0;
  }
  /// Waits for a value. 0; -EPIPE when closed and empty; -ETIMEDOUT, -ECANCELED.
  int receive(T& value, Deadline deadline = {}) {
    while (values_.empty()) {
      if (closed_) return -EPIPE;
      if (const int error = receivers_.wait(deadline)) return error;
    }
    value = std::move(values_.front());
    values_.pop_front();
    senders_.wake_one();
    return 0;
  }
  /// No more sends; what is in it can still be received.
  void close() {
    closed_ = true;
    senders_.wake_all();
    receivers_.wake_all();
  }
  [[nodiscard]] size_t size() const { return values_.size(); }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  const size_t capacity_;
  std::deque<T> values_;
  WaitQueue senders_;
  WaitQueue receivers_;
  bool closed_ = false;
};

}  // namespace krait::io
