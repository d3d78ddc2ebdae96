// Parallel moves against what they mean: every destination holds what its source held before.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "jit/moves.hpp"

using namespace krait::jit;

namespace {

using Machine = std::map<std::pair<int, uint32_t>, uint64_t>;
std::pair<int, uint32_t> key(Loc l) { return {l.kind, l.at}; }

void run(Machine& machine, const std::vector<MoveStep>& steps) {
  for (const MoveStep& s : steps) {
    const Move& m = s.move;
    if (s.kind == MoveStep::Exchange) std::swap(machine[key(m.dst)], machine[key(m.src)]);
    else machine[key(m.dst)] = m.src.kind == Loc::Nowhere ? m.imm : machine[key(m.src)];
  }
}

}  // namespace

TEST_CASE("random parallel moves keep every value") {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    const bool floats = random() % 2;
    std::vector<Loc> places;
    for (uint32_t i = 0; i < 6; ++i) places.push_back(Loc::reg(floats ? Xmm(i) : PReg{std::array{Rax, Rcx, Rdx, Rbx, Rsi, Rdi}[i]}));
    for (uint32_t i = 0; i < 3; ++i) places.push_back({Loc::Slot, i});
    Machine machine;
    for (size_t i = 0; i < places.size(); ++i) machine[key(places[i])] = 100 + i;
    std::vector<Loc> targets = places;
    std::shuffle(targets.begin(), targets.end(), random);
    std::vector<Move> moves;
    for (size_t i = 0; i < random() % (places.size() + 1); ++i) {
      Move m{targets[i], places[random() % places.size()], floats ? Type::F64 : Type::I64, 0};
      if (random() % 8 == 0) m.src = {}, m.imm = 7;
      moves.push_back(m);
    }
    std::vector<MoveStep> steps;
    resolve(moves, steps);
    Machine after = machine;
    run(after, steps);
    std::map<std::pair<int, uint32_t>, uint64_t> expected = machine;
    for (const Move& m : moves) expected[key(m.dst)] = m.src.kind == Loc::Nowhere ? m.imm : machine[key(m.src)];
    for (const Loc& l : places) CHECK(after[key(l)] == expected[key(l)]);
  }
}
