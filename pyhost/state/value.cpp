// Invariants
//  1. Chunk i holds the bytes from i * ChunkBytes to the next chunk or the end of the value, whichever is first, all of them.
//  2. dirty_ is inside present_, and both are inside the size.
//  3. Bytes that are not present are zeros or old, and are never read or pushed.
//  4. What was cut off stays cut off: cut_ makes the global tier drop it before it extends.
#include "pyhost/state/value.hpp"

#include <cstring>

namespace krait::pyhost {

void ValueBytes::assign(std::span<const std::byte> bytes) {
  cut_chunks(0);
  cut_ = std::min<uint64_t>(cut_.value_or(bytes.size()), bytes.size());
  size_ = bytes.size();
  size_dirty_ = true;
  put(0, bytes);
  present_.clear(), dirty_.clear();
  present_.add({0, size_}), dirty_.add({0, size_});
}

void ValueBytes::adopt(uint64_t size) {
  cut_chunks(0);
  present_.clear(), dirty_.clear();
  size_ = size;
  size_dirty_ = false;
  cut_.reset();
}

void ValueBytes::create(uint64_t size) {
  adopt(size);
  present_.add({0, size});
  size_dirty_ = true;
  cut_ = 0;
}

void ValueBytes::resize(uint64_t size) {
  if (size == size_) return;
  size_dirty_ = true;
  if (size < size_) {
    cut_ = std::min(cut_.value_or(size), size);
    cut_chunks(size);
    present_.remove({size, size_}), dirty_.remove({size, size_});
    size_ = size;
    return;
  }
  const uint64_t old = std::exchange(size_, size);
  if (const auto last = chunks_.find(old / ChunkBytes); last != chunks_.end()) chunk(last->first);
  present_.add({old, size});
  cut_ = std::min(cut_.value_or(old), old);  // these are zeros, whatever the global value has there
}

/// The chunk, of the length that it should have.
store::Bytes& ValueBytes::chunk(uint64_t index) {
  store::Bytes& bytes = chunks_[index];
  const uint64_t length = std::min(ChunkBytes, size_ - index * ChunkBytes);
  allocated_ += length - bytes.size();
  bytes.resize(length);
  return bytes;
}

void ValueBytes::cut_chunks(uint64_t size) {
  for (auto at = chunks_.lower_bound(size / ChunkBytes); at != chunks_.end();) {
    const uint64_t base = at->first * ChunkBytes, kept = size > base ? std::min<uint64_t>(size - base, at->second.size()) : 0;
    allocated_ -= at->second.size() - kept;
    at->second.resize(kept);
    if (kept != 0) at->second.shrink_to_fit();
    at = kept == 0 ? chunks_.erase(at) : std::next(at);
  }
}

void ValueBytes::put(uint64_t offset, std::span<const std::byte> bytes) {
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t at = offset + done, within = at % ChunkBytes, n = std::min(ChunkBytes - within, bytes.size() - done);
    std::memcpy(chunk(at / ChunkBytes).data() + within, bytes.data() + done, n);
    done += n;
  }
}

void ValueBytes::copy_out(Interval range, std::byte* to) const {
  for (uint64_t at = range.begin; at < range.end;) {
    const uint64_t within = at % ChunkBytes, n = std::min(ChunkBytes - within, range.end - at);
    const auto chunk = chunks_.find(at / ChunkBytes);
    if (chunk == chunks_.end()) std::memset(to, 0, n);
    else std::memcpy(to, chunk->second.data() + within, n);
    at += n, to += n;
  }
}

void ValueBytes::write(uint64_t offset, std::span<const std::byte> bytes) {
  put(offset, bytes);
  present_.add({offset, offset + bytes.size()});
  dirty_.add({offset, offset + bytes.size()});
}

void ValueBytes::fill(uint64_t offset, std::span<const std::byte> bytes) {
  const Interval all{offset, std::min<uint64_t>(offset + bytes.size(), size_)};
  for (const Interval& gap : present_.missing(all)) put(gap.begin, bytes.subspan(gap.begin - offset, gap.end - gap.begin));
  present_.add(all);
}

Interval ValueBytes::missing(Interval range) const {
  const auto gaps = present_.missing(range);
  return gaps.empty() ? Interval{range.end, range.end} : Interval{gaps.front().begin, gaps.back().end};
}

void ValueBytes::mark_dirty(Interval range) {
  for (const Interval& part : present_.inside({range.begin, std::min(range.end, size_)})) dirty_.add(part);
}

void ValueBytes::append_range(Interval range, store::StateChange& change) const {
  store::StateChange::Range out{range.begin, store::Bytes(range.end - range.begin)};
  copy_out(range, out.bytes.data());
  change.ranges.push_back(std::move(out));
}

void ValueBytes::take_push(Push what, store::StateChange& change) {
  if (size_dirty_) change.size = size_;
  change.cut = cut_;
  if (what == Push::Whole)  // beyond a cut what is not dirty is zeros, and will be so there
    for (const Interval& part : present_.inside({0, cut_.value_or(size_)})) dirty_.add(part);
  for (const Interval& part : dirty_.all()) append_range(part, change);
  dirty_.clear();
  size_dirty_ = false;
  cut_.reset();
}

void ValueBytes::take_ranges(std::span<const Interval> ranges, store::StateChange& change) {
  if (size_dirty_) change.size = size_;
  change.cut = cut_;
  for (const Interval& range : ranges)
    for (const Interval& part : dirty_.inside(range)) {
      append_range(part, change);
      dirty_.remove(part);
    }
  size_dirty_ = false;
  cut_.reset();
}

void ValueBytes::give_back(const store::StateChange& change) {
  if (change.size) size_dirty_ = true;
  if (change.cut) cut_ = std::min(cut_.value_or(*change.cut), *change.cut);
  for (const auto& range : change.ranges) mark_dirty({range.offset, range.offset + range.bytes.size()});
}

}  // namespace krait::pyhost
