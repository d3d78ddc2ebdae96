// Which bytes of a value: a set of numbers as half-open intervals that neither touch nor overlap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

namespace krait::pyhost {

struct Interval {
  uint64_t begin = 0, end = 0;  ///< [begin, end)
  bool operator==(const Interval&) const = default;
};

class IntervalSet {
 public:
  void add(Interval i) {
    if (i.begin >= i.end) return;
    auto at = ends_.upper_bound(i.begin);
    if (at != ends_.begin() && std::prev(at)->second >= i.begin) --at;
    while (at != ends_.end() && at->first <= i.end) {
      i.begin = std::min(i.begin, at->first);
      i.end = std::max(i.end, at->second);
      at = ends_.erase(at);
    }
    ends_.emplace(i.begin, i.end);
  }
  void remove(Interval i) {
    if (i.begin >= i.end) return;
    auto at = ends_.upper_bound(i.begin);
    if (at != ends_.begin()) --at;
    while (at != ends_.end() && at->first < i.end) {
      const Interval old{at->first, at->second};
      if (old.end <= i.begin) {
        ++at;
        continue;
      }
      at = ends_.erase(at);
      if (old.begin < i.begin) ends_.emplace(old.begin, i.begin);
      if (old.end > i.end) ends_.emplace(i.end, old.end);
    }
  }
  [[nodiscard]] bool contains(Interval i) const {
    if (i.begin >= i.end) return true;
    const auto after = ends_.upper_bound(i.begin);
    return after != ends_.begin() && std::prev(after)->second >= i.end;
  }
  /// The parts of `within` that are in the set, in order.
  [[nodiscard]] std::vector<Interval> inside(Interval within) const {
    std::vector<Interval> parts;
    auto at = ends_.upper_bound(within.begin);
    if (at != ends_.begin()) --at;
    for (; at != ends_.end() && at->first < within.end; ++at) {
      const Interval part{std::max(at->first, within.begin), std::min(at->second, within.end)};
      if (part.begin < part.end) parts.push_back(part);
    }
    return parts;
  }
  /// The parts of `within` that are not, in order.
  [[nodiscard]] std::vector<Interval> missing(Interval within) const {
    std::vector<Interval> gaps;
    uint64_t at = within.begin;
    for (const Interval& part : inside(within)) {
      if (at < part.begin) gaps.push_back({at, part.begin});
      at = part.end;
    }
    if (at < within.end) gaps.push_back({at, within.end});
    return gaps;
  }
  [[nodiscard]] std::vector<Interval> all() const { return inside({0, UINT64_MAX}); }
  [[nodiscard]] bool empty() const { return ends_.empty(); }
  [[nodiscard]] size_t count() const { return ends_.size(); }
  void clear() { ends_.clear(); }

 private:
  std::map<uint64_t, uint64_t> ends_;  // begin -> end
};

}  // namespace krait::pyhost
