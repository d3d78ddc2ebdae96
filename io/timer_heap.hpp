// The timers of one shard.
#pragma once

#include <cstdint>
#include <vector>

namespace krait::io {

/// A timer that a TimerHeap can hold. Ownership: its holder's, which must disarm it before it dies.
struct Timer {
  static constexpr uint32_t NotArmed = UINT32_MAX;
  uint32_t position = NotArmed;

  [[nodiscard]] bool armed() const { return position != NotArmed; }
};

/// A 4-ary min-heap with the keys inline, so that sifting reads no timer. Timers of equal time fire
/// in no set order. Not thread-safe.
class TimerHeap {
 public:
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  /// The earliest time; only when not empty.
  [[nodiscard]] int64_t next() const { return entries_[0].at; }
  /// The earliest timer; only when not empty.
  [[nodiscard]] Timer* front() const { return entries_[0].timer; }

  void arm(Timer& timer, int64_t at) {
    entries_.push_back({at, &timer});
    sift_up(entries_.size() - 1);
  }
  void disarm(Timer& timer) {
    const size_t hole = timer.position;
    timer.position = Timer::NotArmed;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    place(hole, last);
    sift_down(hole);
    sift_up(last.timer->position);
  }

 private:
  struct Entry {
    int64_t at;
    Timer* timer;
  };
  void place(size_t position, Entry entry) {
    entries_[position] = entry;
    entry.timer->position = static_cast<uint32_t>(position);
  }
  void sift_up(size_t position) {
    const Entry entry = entries_[position];
    while (position > 0) {
      const size_t parent = (position - 1) / 4;
      if (entries_[parent].at <= entry.at) break;
      place(position, entries_[parent]);
      position = parent;
    }
    place(position, entry);
  }
  void sift_down(size_t position) {
    const Entry entry = entries_[position];
    for (;;) {
      const size_t first = position * 4 + 1;
      if (first >= entries_.size()) break;
      const size_t end = first + 4 < entries_.size() ? first + 4 : entries_.size();
      size_t least = first;
      for (size_t child = first + 1; child < end; ++child) {
        if (entries_[child].at < entries_[least].at) least = child;
      }
      if (entries_[least].at >= entry.at) break;
      place(position, entries_[least]);
      position = least;
    }
    place(position, entry);
  }

  std::vector<Entry> entries_;
};

}  // namespace krait::io
