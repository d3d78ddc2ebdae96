// Machine instructions over virtual registers: what selection makes, the allocator fills in and the emitter writes.
//
// An instruction is an IR operation with its operands in machine form. Every vreg has one definition (SSA; phis
// stand at the head of a block). Instruction i has position 4 * i; at p = 4 * i:
//   p      moves that the allocator inserts, then early uses    p + 1  definitions, clobbers; late uses last
//   p + 2  definitions of instructions that clobber ("after")   until here
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "jit/ir.hpp"
#include "jit/regs.hpp"

namespace krait::jit {

using VReg = uint32_t;

/// Where a value is: a register, a spill slot, an argument or result above the return address, or one of a callee.
struct Loc {
  enum Kind : uint8_t { Nowhere, Register, Slot, Argument, Outgoing } kind = Nowhere;
  uint32_t at = 0;  ///< PReg, slot number, byte offset
  bool operator==(const Loc&) const = default;
  static Loc reg(PReg r) { return {Register, r}; }
  [[nodiscard]] bool is_reg() const { return kind == Register; }
};

struct Operand {
  enum Kind : uint8_t { None, Reg, Any, Imm } kind = None;  ///< Reg: in a register; Any: or in memory; Imm: bits
  bool def = false;
  bool late = false;    ///< a use that must outlive the definition; a definition behind the clobbers
  PReg hint = NoPReg;
  VReg vreg = jit::None;
  Loc loc;              ///< filled in by the allocator
  uint64_t imm = 0;
  [[nodiscard]] bool is_vreg() const { return kind == Reg || kind == Any; }
};

enum class Cond : uint8_t { Eq, Ne, LtS, LtU, GtS, GtU, LeS, LeU, GeS, GeU };  // ORDER: as in ir.def
constexpr Cond invert(Cond c) {
  constexpr Cond Of[] = {Cond::Ne, Cond::Eq, Cond::GeS, Cond::GeU, Cond::LeS, Cond::LeU, Cond::GtS, Cond::GtU, Cond::LtS, Cond::LtU};
  return Of[static_cast<size_t>(c)];
}
constexpr Cond swap_operands(Cond c) {
  constexpr Cond Of[] = {Cond::Eq, Cond::Ne, Cond::GtS, Cond::GtU, Cond::LtS, Cond::LtU, Cond::GeS, Cond::GeU, Cond::LeS, Cond::LeU};
  return Of[static_cast<size_t>(c)];
}

/// How the operands of an instruction are to be read.
enum class Form : uint8_t {
  Plain,
  Load,        ///< b is the memory operand; LoadLane, StoreLane, atomics
  Modify,      ///< the memory operand is read, changed by b and written (op: Add, Sub, And, Or, Xor)
  Lea,         ///< Add: a + index * scale + disp
  Compare,     ///< Branch, Select: on `cond` of a comparison, c with index (or with the memory operand)
  Test,        ///< Branch, Select: on `cond` of c & index against zero
};

struct Inst {
  Op op;
  Type type = Type::None;       ///< of the operation; comparisons: of what is compared
  Form form = Form::Plain;
  Cond cond = Cond::Ne;
  uint8_t aux = 0;
  bool memory_operand = false;  ///< Compare, Test: the right side is in memory
  MemKind kind = MemKind::I32U; ///< memory operand
  uint8_t scale = 0;            ///< log2, of index
  uint32_t memory = 0;          ///< which memory the operand lies in
  RegSet clobbers = 0;
  uint32_t wasm_pc = 0;
  uint64_t disp = 0;            ///< memory operand: offset
  uint64_t imm = 0;
  Operand def, a, b, c, index;
  uint32_t first = 0, count = 0;  ///< in MFunction::pool: arguments, then results

};

struct MPhi {
  Operand def;
  uint32_t first = 0, count = 0;  ///< in MFunction::pool, by predecessor
};

struct MBlock {
  uint32_t first = 0, end = 0;    ///< instructions
  uint32_t first_phi = 0, end_phi = 0;
  std::vector<uint32_t> preds, succs;
  float freq = 1;
  uint32_t loop_depth = 0;
  bool loop_header = false, cold = false;
  bool landing = false;           ///< of an exception: on the way in no register has what it had
};

struct VRegInfo {
  Type type = Type::None;
  Loc argument;                   ///< a parameter that comes in memory: its home
};

/// Blocks are in the order of emission; numbers are positions in it.
struct MFunction {
  const Function* ir = nullptr;
  std::vector<MBlock> blocks;
  std::vector<Inst> insts;
  std::vector<MPhi> phis;
  std::vector<Operand> pool;
  std::vector<uint32_t> tables;   ///< of Switch: block numbers
  std::vector<VRegInfo> vregs;
  uint32_t outgoing = 0;          ///< bytes
  bool calls = false;             ///< is not a leaf

  template <typename F>
  void for_each_operand(Inst& inst, F&& f) {
    for (Operand* o : {&inst.def, &inst.a, &inst.b, &inst.c, &inst.index})
      if (o->is_vreg()) f(*o);
    for (uint32_t i = 0; i < inst.count; ++i)
      if (pool[inst.first + i].is_vreg()) f(pool[inst.first + i]);
  }
};

/// What the CPU has beyond x86-64-v2.
struct CpuFeatures {
  bool bmi1 = false, bmi2 = false, lzcnt = false, avx2 = false, avx = false;
  [[nodiscard]] uint32_t bits() const {
    return uint32_t{bmi1} | uint32_t{bmi2} << 1 | uint32_t{lzcnt} << 2 | uint32_t{avx2} << 3 | uint32_t{avx} << 4;
  }
};
CpuFeatures detect_cpu();

/// Orders blocks, splits critical edges and selects instructions.
void select(Function& f, const CpuFeatures& cpu, MFunction& out);

std::string print(const MFunction& f);

}  // namespace krait::jit
