// Private to calls/: a thread that makes running guests look up every few milliseconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace krait::pyhost::calls {

/// Calls `beat` every `period`, on a thread of its own, until it is destroyed.
class Pulse {
 public:
  Pulse(std::chrono::nanoseconds period, std::function<void()> beat) : beat_(std::move(beat)) {
    thread_ = std::thread([this, period] {
      std::unique_lock lock(mutex_);
      while (!stop_.wait_for(lock, period, [this] { return stopped_; })) beat_();
    });
  }
  ~Pulse() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

 private:
  const std::function<void()> beat_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace krait::pyhost::calls
