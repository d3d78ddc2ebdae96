// Intervals, and a value's bytes against a plain model of them.
#include "pyhost/state/value.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace krait;
using namespace krait::pyhost;
using store::Bytes;

TEST_CASE("an interval set is the set of its numbers") {
  std::mt19937 random(1);
  IntervalSet set;
  std::vector<bool> model(300);
  for (int step = 0; step < 5'000; step++) {
    const uint64_t a = random() % 300, b = random() % 300, begin = std::min(a, b), end = std::max(a, b);
    const bool in = random() % 2 != 0;
    if (in) set.add({begin, end});
    else set.remove({begin, end});
    std::fill(model.begin() + static_cast<ptrdiff_t>(begin), model.begin() + static_cast<ptrdiff_t>(end), in);
    std::vector<Interval> runs;
    for (uint64_t i = 0; i < model.size(); i++) {
      if (!model[i]) continue;
      if (!runs.empty() && runs.back().end == i) runs.back().end++;
      else runs.push_back({i, i + 1});
    }
    REQUIRE(set.all() == runs);
    const Interval look{random() % 150, 150 + random() % 150};
    uint64_t inside = 0, missing = 0, expected = 0;
    for (const Interval& part : set.inside(look)) inside += part.end - part.begin;
    for (const Interval& part : set.missing(look)) missing += part.end - part.begin;
    for (uint64_t i = look.begin; i < look.end; i++) expected += model[i];
    REQUIRE(inside == expected);
    REQUIRE(missing == look.end - look.begin - expected);
    REQUIRE(set.contains(look) == (missing == 0));
  }
}

namespace {

/// A value here, and the global one as a plain vector that pushes are applied to.
struct Pair {
  ValueBytes local;
  Bytes global, model;  // model: what the value should be

  void push(const store::StateChange& change) {
    if (change.cut && *change.cut < global.size()) global.resize(*change.cut);
    if (change.size) global.resize(*change.size);
    for (const auto& range : change.ranges) {
      global.resize(std::max<size_t>(global.size(), range.offset + range.bytes.size()));
      std::copy(range.bytes.begin(), range.bytes.end(), global.begin() + static_cast<ptrdiff_t>(range.offset));
    }
  }
  void bring(Interval range) {
    const Interval gap = local.missing(range);
    Bytes bytes(gap.end - gap.begin);
    for (uint64_t i = gap.begin; i < gap.end && i < global.size(); i++) bytes[i - gap.begin] = global[i];
    local.fill(gap.begin, bytes);
  }
  Interval some(std::mt19937& random) const {
    const uint64_t a = random() % (model.size() + 1), b = random() % (model.size() + 1);
    return {std::min(a, b), std::max(a, b)};
  }
  Bytes bytes(std::mt19937& random, size_t size) const {
    Bytes made(size);
    for (std::byte& byte : made) byte = static_cast<std::byte>(random());
    return made;
  }
  void step(std::mt19937& random) {
    switch (random() % 8) {
      case 0: {
        model = bytes(random, random() % 200'000);
        local.assign(model);
        break;
      }
      case 1: {
        model.resize(random() % 200'000);
        local.resize(model.size());
        break;
      }
      case 2: {
        local.adopt(global.size());
        model = global;
        break;
      }
      case 3: {
        store::StateChange change;
        local.take_push(random() % 2 ? ValueBytes::Push::Whole : ValueBytes::Push::Dirty, change);
        CHECK(local.clean());
        if (random() % 4 == 0) local.give_back(change);
        else push(change);
        break;
      }
      default: {
        const Interval range = some(random);
        const Bytes part = bytes(random, std::min<uint64_t>(range.end - range.begin, 5'000));
        local.write(range.begin, part);
        std::copy(part.begin(), part.end(), model.begin() + static_cast<ptrdiff_t>(range.begin));
      }
    }
    const Interval look = some(random);
    bring(look);
    Bytes seen(look.end - look.begin);
    local.copy_out(look, seen.data());
    REQUIRE(std::equal(seen.begin(), seen.end(), model.begin() + static_cast<ptrdiff_t>(look.begin)));
    REQUIRE(local.size() == model.size());
  }
};

}  // namespace

TEST_CASE("a value shows what was written, whatever was cut, extended, pushed and given back") {
  for (unsigned seed = 0; seed < 20; seed++) {
    std::mt19937 random(seed);
    Pair pair;
    pair.local.create(0);
    for (int i = 0; i < 120; i++) pair.step(random);
    store::StateChange last;
    pair.local.take_push(ValueBytes::Push::Dirty, last);
    pair.push(last);
    REQUIRE(pair.global == pair.model);
  }
}

TEST_CASE("what a value takes is bounded by what was written, not by its size") {
  ValueBytes value;
  value.create(uint64_t{1} << 40);
  CHECK(value.memory() < 1'000);
  const Bytes bytes(100);
  const uint64_t before = value.memory();
  value.write(uint64_t{1} << 39, bytes);
  CHECK(value.memory() - before <= ValueBytes::growth_of(bytes.size()));
  std::byte seen[200];
  value.copy_out({(uint64_t{1} << 39) - 50, (uint64_t{1} << 39) + 150}, seen);
  store::StateChange change;
  value.take_push(ValueBytes::Push::Whole, change);
  CHECK(change.ranges.size() == 1);
  CHECK(change.size == uint64_t{1} << 40);
}
