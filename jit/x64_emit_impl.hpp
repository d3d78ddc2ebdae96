// The emitter's state, shared by its sources.
#pragma once

#include "jit/x64_asm.hpp"
#include "jit/x64_emit.hpp"

namespace krait::jit {

class Emitter {
 public:
  Emitter(MFunction& f, const Allocation& allocation, const CpuFeatures& cpu, CompiledFunction& out);
  bool run(std::string* listing);

 private:
  using Label = asmjit::Label;
  struct ColdTrap {
    Label label;
    engine::TrapKind kind;
    uint32_t wasm_pc;
  };
  /// Where `overflow` is a label, that of a function's entry: perhaps there is no stack left.
  struct ColdPoll {
    Label label, back;
    uint32_t wasm_pc;
    Label overflow;
    bool polls;
  };
  struct Constant {
    Label label;
    uint64_t low, high;
    uint32_t bytes;
  };
  struct Table {
    Label label;
    uint32_t first, count;
  };

  // x64_emit.cpp: frame, blocks, moves
  void find_empty_blocks();
  void lay_out_frame();
  void prologue();
  void epilogue();
  void emit_block(uint32_t b);
  void emit_inst(uint32_t b, Inst& inst);
  [[nodiscard]] uint32_t call_before_invoke(uint32_t b) const;
  void finish();
  void emit_body(uint32_t b);
  [[nodiscard]] bool is_dispatch(uint32_t b) const;
  void placed_moves(uint32_t pos);
  void parallel(std::span<const Move> moves);
  void copy(const Move& m);
  void load_constant(PReg dst, Type type, uint64_t bits, bool keep_flags);
  x86::Mem memory(Loc loc, uint32_t size) const;
  [[nodiscard]] uint32_t target(uint32_t block) const;
  void jump_to(uint32_t block);
  void site(uint32_t kind, uint32_t wasm_pc);
  void trap_site(engine::TrapKind kind, uint32_t wasm_pc) { site(static_cast<uint32_t>(kind), wasm_pc); }
  Label trap(engine::TrapKind kind, uint32_t wasm_pc);
  x86::Mem constant(uint64_t low, uint64_t high, uint32_t bytes);
  void poll(uint32_t wasm_pc);

  // x64_emit_int.cpp: integers, memory, conditions
  PReg in_register(const Operand& o, Type type, PReg scratch = Scratch);
  void move_in(PReg dst, const Operand& o, Type type, bool keep_flags = false);
  x86::Mem address(const Inst& inst);
  void with_operand(asmjit::x86::Inst::Id id, const asmjit::Operand_& left, const Operand& o, Type type);
  void emit_int(const Inst& inst);
  void emit_alu(const Inst& inst);
  [[nodiscard]] bool flags_tell(PReg r, Type type, Cond cond) const;
  void test_zero(PReg r, Type type, Cond cond);
  void emit_modify(const Inst& inst);
  void emit_mul(const Inst& inst);
  void emit_shift(const Inst& inst);
  void emit_mul_high(const Inst& inst);
  void emit_divide(const Inst& inst);
  void emit_bits(const Inst& inst);
  void emit_load(const Inst& inst);
  void emit_store(const Inst& inst);
  void emit_global(const Inst& inst);
  void emit_compare_value(const Inst& inst);
  void compare(const Inst& inst);
  void emit_branch(uint32_t b, const Inst& inst);
  void jump_if(const Inst& inst, Label taken, Label not_taken, bool taken_is_next);
  void emit_select(const Inst& inst);
  void emit_switch(uint32_t b, const Inst& inst);

  // x64_emit_float.cpp
  asmjit::Operand float_operand(const Operand& o, Type type);
  PReg float_in_register(const Operand& o, Type type);
  void emit_float(const Inst& inst);
  void emit_min_max(const Inst& inst);
  void emit_convert(const Inst& inst);
  void emit_trunc(const Inst& inst);
  void emit_trunc_u64(const Inst& inst, bool saturate);
  void saturate(const Inst& inst, PReg a, Type from, uint64_t low, uint64_t high);
  void compare_floats(Op op, Type type, const Operand& left, const Operand& right);
  void emit_float_compare_value(const Inst& inst);

  // x64_emit_atomic.cpp
  void emit_atomic(const Inst& inst);
  x86::Mem aligned_address(const Inst& inst);
  void emit_atomic_loop(const Inst& inst, const x86::Mem& m, uint32_t bytes);
  void emit_cmpxchg(const Inst& inst, const x86::Mem& m, uint32_t bytes);
  void extend_low(PReg r, uint32_t bytes);

  // x64_emit_simd.cpp
  struct Pair;
  static PReg reg_of(const Operand& o) { return static_cast<PReg>(o.loc.at); }
  void two(const Pair& op, PReg d, PReg a, const asmjit::Operand& b);
  void two(const Pair& op, PReg d, PReg a, const asmjit::Operand& b, uint32_t imm);
  void one(const Pair& op, PReg d, const asmjit::Operand& b);
  void one(const Pair& op, PReg d, const asmjit::Operand& b, uint32_t imm);
  void move_vector(PReg d, PReg a);
  void load_vector(PReg d, uint64_t index);
  void zero_vector(PReg d);
  void invert_vector(PReg d);
  x86::Mem words(uint64_t pattern) { return constant(pattern, pattern, 16); }
  asmjit::Operand vector_operand(const Operand& o);
  PReg shift_count(const Operand& o, uint32_t mask, uint32_t add);
  void emit_vector(const Inst& inst);
  void emit_binary(const Inst& inst, const Pair& op, uint32_t imm, bool with_imm);
  void emit_all_true(const Inst& inst, const Pair& op);
  void emit_multiply(const Inst& inst, const Pair& op, uint32_t imm, bool high);
  void emit_extract(const Inst& inst, const Pair& op);
  void emit_replace(const Inst& inst, const Pair& op);
  void emit_splat(const Inst& inst);
  void emit_vector_load(const Inst& inst, PReg d);
  void emit_lane_access(const Inst& inst);
  // x64_emit_simd_sequences.cpp
  void emit_sequence(const Inst& inst);
  void emit_byte_shift(const Inst& inst);
  void emit_long_arithmetic(const Inst& inst);
  void emit_shuffle(const Inst& inst);
  bool emit_known_shuffle(const Inst& inst, const uint8_t* lanes);
  void emit_vector_min_max(const Inst& inst);
  void emit_vector_truncate(const Inst& inst);
  void emit_vector_convert(const Inst& inst);
  void emit_small_sequence(const Inst& inst);
  void emit_dot_of_bytes(const Inst& inst);
  void emit_bitmask(const Inst& inst);

  // x64_emit_call.cpp
  void emit_params(const Inst& inst);
  void emit_call(const Inst& inst);
  void resolve_entry(const Inst& inst, const Operand& index);
  void leave_for_tail_call(uint32_t arguments);
  void emit_call_slots(const Inst& inst);
  void emit_builtin(const Inst& inst);
  void emit_return(const Inst& inst);
  void call_builtin(Builtin id, uint32_t wasm_pc);
  std::span<const Operand> pool(const Inst& inst) const { return {f_.pool.data() + inst.first, inst.count}; }
  static Move move_of(const Operand& o, Loc dst, Type type);
  [[nodiscard]] Type type_of_operand(const Operand& o, Type constant_type) const {
    return o.is_vreg() ? f_.vregs[o.vreg].type : constant_type;
  }

  MFunction& f_;
  const Allocation& allocation_;
  const CpuFeatures& cpu_;
  CompiledFunction& out_;
  asmjit::CodeHolder code_;
  x86::Assembler a_;
  asmjit::StringLogger logger_;
  bool logging_ = false;
  /// Notes in the listing what the code behind comes from.
  void note_place(uint32_t wasm_pc) {
    if (logging_ && wasm_pc) a_.commentf("@%x", wasm_pc);
  }
  std::vector<Label> labels_;
  std::vector<uint32_t> alias_;     // of blocks that only jump on: where to
  std::vector<uint32_t> next_;      // the block that is emitted behind this one
  std::vector<PReg> saved_;
  std::vector<ColdTrap> traps_;
  std::vector<ColdPoll> polls_;
  /// The flags at this offset are those of an operation that made `of`; no label stands there.
  struct Flags {
    uint32_t behind = None;
    PReg of = NoPReg;
    Type type = Type::None;
    bool logic = false;  ///< neither carry nor overflow
  };
  Flags flags_;
  std::vector<Constant> constants_;
  std::vector<Table> jump_tables_;
  std::vector<MoveStep> steps_;
  std::vector<uint32_t> last_call_; // by block that ends in an Invoke: where its call returns to
  uint32_t frame_bytes_ = 0, local_bytes_ = 0;
  bool tail_calls_ = false;         // makes some
  uint32_t pushed_ = 0;             // bytes by which rsp is lower than between calls
};

}  // namespace krait::jit
