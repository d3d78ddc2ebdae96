// The builder's state, shared by its sources.
#pragma once

#include <string>

#include "engine/instruction.hpp"
#include "engine/trap.hpp"
#include "jit/build.hpp"

namespace krait::jit {

using engine::Immediates;
using engine::Instruction;
using engine::Opcode;
using engine::ValType;

/// For each loop in code order the locals that it assigns, as bits.
class LoopAssigns {
 public:
  void scan(const engine::Module& module, const engine::Function& wasm) {
    words_ = (wasm.local_count + 63) / 64;
    engine::Reader reader(module.bytes(), wasm.code_begin, wasm.code_end);
    Instruction in;
    std::vector<uint32_t> open;  // loop number, or None for other blocks
    while (!reader.at_end() && read_instruction(reader, in)) {
      switch (in.op) {
        case Opcode::Block:
        case Opcode::If:
        case Opcode::Try:
        case Opcode::TryTable: open.push_back(None); break;
        case Opcode::Loop:
          open.push_back(static_cast<uint32_t>(bits_.size() / std::max(words_, 1u)));
          bits_.resize(bits_.size() + std::max(words_, 1u));
          break;
        case Opcode::Delegate:
        case Opcode::End: {
          if (open.empty()) return;
          const uint32_t loop = open.back();
          open.pop_back();
          if (loop != None) merge_into_parent(open, loop);
          break;
        }
        case Opcode::LocalSet:
        case Opcode::LocalTee:
          for (auto it = open.rbegin(); it != open.rend(); ++it)
            if (*it != None) {
              bits_[*it * words_ + in.index / 64] |= uint64_t{1} << in.index % 64;
              break;
            }
          break;
        default: break;
      }
    }
  }
  [[nodiscard]] bool assigns(uint32_t loop, uint32_t local) const {
    return bits_[loop * words_ + local / 64] >> local % 64 & 1;
  }

 private:
  void merge_into_parent(const std::vector<uint32_t>& open, uint32_t loop) {
    for (auto it = open.rbegin(); it != open.rend(); ++it) {
      if (*it == None) continue;
      for (uint32_t w = 0; w < words_; ++w) bits_[*it * words_ + w] |= bits_[loop * words_ + w];
      return;
    }
  }
  uint32_t words_ = 0;
  std::vector<uint64_t> bits_;
};

struct Control {
  Opcode kind;                 // Block, Loop, If, Else, Try, Catch, TryTable
  BlockId target = None;       // where a branch to the label goes
  BlockId else_block = None;   // If: entered when the condition is zero
  uint32_t height = 0;         // of the operand stack below the parameters
  std::span<const ValType> params, results;
  std::vector<uint32_t> edges; // Block, If: snapshots of the edges, by predecessor. Loop: of the back edges
  uint32_t saved = 0;          // If: snapshot for the else edge
  uint32_t first_phi = 0;      // Loop: its phis in loop_phis_
  uint32_t phi_count = 0;
  NodeId exception = None;     // Catch: what it caught
  uint32_t exception_slot = 0; // and where the interpreter keeps it
  uint32_t region = engine::NoIndex;  // TryTable
};

/// Where a catch clause takes exceptions, and the snapshots of those who may throw there, by predecessor.
struct LandingPlace {
  BlockId block = None;
  std::vector<uint32_t> edges;
};

class Builder {
 public:
  Builder(const engine::Module& module, const engine::Function& wasm, Function& out, LoopEntry* entry)
      : m_(module), wasm_(wasm), f_(out), entry_(entry), reader_(module.bytes(), wasm.code_begin, wasm.code_end) {}

  const char* run();

 private:
  NodeId emit(Op op, Type type, std::span<const uint32_t> args = {}, uint64_t imm = 0, uint8_t aux = 0) {
    const NodeId id = f_.make(op, type, args, imm, aux);
    place(id);
    return id;
  }
  void place(NodeId id) {
    f_[id].block = current_;
    f_[id].wasm_pc = in_.offset;
    f_.blocks[current_].nodes.push_back(id);
  }
  void push(NodeId id) { stack_.push_back(id); }
  NodeId pop() {
    const NodeId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  std::span<const uint32_t> top(size_t count) const { return {stack_.data() + stack_.size() - count, count}; }
  void drop(size_t count) { stack_.resize(stack_.size() - count); }
  BlockId new_block() {
    f_.blocks.emplace_back();
    return static_cast<BlockId>(f_.blocks.size() - 1);
  }
  void enter(BlockId b) {
    current_ = b;
    f_.order.push_back(b);
  }
  void add_edge(BlockId from, BlockId to) {
    f_.blocks[from].succs.push_back(to);
    f_.blocks[to].preds.push_back(from);
  }
  uint32_t snapshot(size_t values);
  Control& label(uint32_t depth) { return controls_[controls_.size() - 1 - depth]; }
  static std::span<const ValType> label_types(const Control& c) { return c.kind == Opcode::Loop ? c.params : c.results; }

  void start_loop(Control& c);
  void note_entry(const Control& c);
  void end_loop(const Control& c);
  NodeId join(std::span<const uint32_t> edges, size_t at);
  void join_locals(std::span<const uint32_t> edges);
  void merge(Control& c);
  void begin_block();
  void begin_else();
  void end_block();
  void branch_to(uint32_t depth);
  void br_if();
  void br_table();
  void emit_return();
  void skip_unreachable();
  void push_results(NodeId call, const engine::FuncType& type);
  const char* call_indirect(bool tail);
  const char* control_instruction();
  const char* instruction();
  const char* memory_instruction();
  const char* table_instruction();
  void builtin(Builtin id, Type result, std::initializer_list<uint32_t> leading, uint32_t operands);
  NodeId i32(uint32_t value) { return f_.constant(Type::I32, value); }
  NodeId v128(uint64_t low, uint64_t high) { return emit(Op::V128Const, Type::V128, {}, f_.vector(low, high)); }

  // build_exceptions.cpp
  void exception_instruction();
  void begin_catch();
  void may_throw();
  bool land(uint32_t clause, uint32_t height);
  void land_clauses(const Control& c);
  void throw_with(NodeId exception);
  void unreachable();
  NodeId payload(NodeId exception, uint32_t slot) {
    return emit(Op::CallBuiltin, Type::I64, {{exception, i32(slot)}}, 0, static_cast<uint8_t>(Builtin::ExceptionPayload));
  }

  // build_memory.cpp
  uint64_t access(NodeId& address, uint32_t bytes);
  void atomic_instruction();
  NodeId check(Builtin id, NodeId address, uint32_t bytes);

  // build_simd.cpp
  void simd_instruction();
  bool splat_of_constant(NodeId value);

  const engine::Module& m_;
  const engine::Function& wasm_;
  Function& f_;
  LoopEntry* const entry_;
  engine::Reader reader_;
  Instruction in_{};
  BlockId current_ = None;
  std::vector<NodeId> stack_, locals_;
  std::vector<Control> controls_;
  std::vector<NodeId> snapshots_;
  std::vector<std::pair<uint32_t, NodeId>> loop_phis_;  // local (or local_count + parameter), phi
  LoopAssigns assigns_;
  uint32_t next_loop_ = 0;
  std::vector<LandingPlace> landings_;  // by clause
};

}  // namespace krait::jit
