// Parallel moves. A copy may go once no other pending copy reads its destination; what is left when none may are cycles.
#include "jit/moves.hpp"

namespace krait::jit {

void resolve(std::span<const Move> moves, std::vector<MoveStep>& out) {
  std::vector<Move> pending;
  for (const Move& m : moves)
    if (m.src.kind == Loc::Nowhere || !(m.src == m.dst)) pending.push_back(m);
  auto read_elsewhere = [&](size_t i) {
    for (size_t k = 0; k < pending.size(); ++k)
      if (k != i && pending[k].src.kind != Loc::Nowhere && pending[k].src == pending[i].dst) return true;
    return false;
  };
  while (!pending.empty()) {
    bool progress = false;
    for (size_t i = 0; i < pending.size();) {
      if (read_elsewhere(i)) {
        ++i;
        continue;
      }
      out.push_back({MoveStep::Copy, pending[i]});
      pending.erase(pending.begin() + static_cast<ptrdiff_t>(i));
      progress = true;
    }
    if (progress || pending.empty()) continue;
    // Only cycles are left.
    const Move m = pending[0];
    if (!is_float(m.type) && m.src.is_reg() && m.dst.is_reg()) {
      out.push_back({MoveStep::Exchange, m});
      pending.erase(pending.begin());
      for (Move& other : pending) {  // who wanted dst's old value finds it in src now
        if (other.src == m.dst) other.src = m.src;
        else if (other.src == m.src) other.src = m.dst;
      }
      std::erase_if(pending, [](const Move& p) { return p.src.kind != Loc::Nowhere && p.src == p.dst; });
      continue;
    }
    // Keep the old value of dst aside; its reader takes it from there. The integer scratch register stays free for
    // copies from memory to memory.
    const Loc kept = Loc::reg(FloatScratch);
    out.push_back({MoveStep::Copy, {kept, m.dst, m.type == Type::V128 ? Type::V128 : Type::F64, 0}});
    for (Move& other : pending)
      if (other.src == m.dst) other.src = kept;
  }
}

}  // namespace krait::jit
