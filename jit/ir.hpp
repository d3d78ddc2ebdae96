// The IR: SSA over basic blocks. See jit/README.md and ir.def.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/module.hpp"
#include "engine/opcodes.hpp"

namespace krait::jit {

enum class Op : uint8_t {
#define IR(name, text, args, effects) name,
#include "jit/ir.def"
#undef IR
};
constexpr uint32_t OpCount = 0
#define IR(name, text, args, effects) +1
#include "jit/ir.def"
#undef IR
    ;

enum Effect : uint8_t { Pure = 0, Reads = 1, Writes = 2, Traps = 4, Calls = 8, Terminator = 16 };

struct OpInfo {
  const char* text;
  int8_t args;
  uint8_t effects;
};
const OpInfo& info_of(Op op);

enum class Type : uint8_t { None, I32, I64, F32, F64, V128 };
constexpr bool is_float(Type t) { return t >= Type::F32; }
constexpr uint32_t bytes_of(Type t) { return t == Type::V128 ? 16 : t == Type::I32 || t == Type::F32 ? 4 : 8; }
Type type_of(engine::ValType type);
const char* name_of(Type type);

constexpr bool is_compare(Op op) { return op >= Op::Eq && op <= Op::FGe; }
constexpr bool is_tail_call(Op op) { return op >= Op::TailCall && op <= Op::TailCallCode; }
constexpr bool is_int_compare(Op op) { return op >= Op::Eq && op <= Op::GeU; }

/// What a load or store moves: I8S is i8 sign-extended to the result's type. Stores use the U kinds. Behind V128 stand
/// loads that make a v128 of less.
enum class MemKind : uint8_t {
  I8S, I8U, I16S, I16U, I32S, I32U, I64, F32, F64, V128,
  V8x8S, V8x8U, V16x4S, V16x4U, V32x2S, V32x2U, Splat8, Splat16, Splat32, Splat64, Zero32, Zero64
};
uint32_t bytes_of(MemKind kind);
/// Node::imm of memory instructions: the offset below, the memory's index from this bit on.
constexpr unsigned MemoryShift = 40;
constexpr uint64_t offset_of(uint64_t imm) { return imm & ((uint64_t{1} << MemoryShift) - 1); }
constexpr uint32_t memory_of(uint64_t imm) { return static_cast<uint32_t>(imm >> MemoryShift); }

enum class AtomicOp : uint8_t { Add, Sub, And, Or, Xor, Exchange };

/// Node::imm of a Vector: the instruction, its lane, and for a shuffle the index of its lanes in Function::vectors.
struct VectorImm {
  engine::Opcode opcode{};
  uint8_t lane = 0;
  uint32_t vector = 0;
  [[nodiscard]] constexpr uint64_t bits() const {
    return static_cast<uint64_t>(opcode) | uint64_t{lane} << 16 | uint64_t{vector} << 32;
  }
  static constexpr VectorImm of(uint64_t bits) {
    return {static_cast<engine::Opcode>(bits & 0xffff), static_cast<uint8_t>(bits >> 16), static_cast<uint32_t>(bits >> 32)};
  }
};

/// C++ functions that machine code calls; builtins.cpp has the table in this order.
enum class Builtin : uint8_t {
  CallImport, CallInterpreter, CallRef, ResolveIndirect, Poll, MemoryGrow, MemoryCopy, MemoryFill, MemoryInit, DataDrop,
  MemorySize, MemoryCheck, AtomicCheck, AtomicWait32, AtomicWait64, AtomicNotify,
  CodeOf, Throw, ThrowRef, CaughtException, ExceptionPayload,
  TableGet, TableSet, TableSize, TableGrow, TableFill, TableCopy, TableInit, ElemDrop, RefFunc, Count
};

using NodeId = uint32_t;
using BlockId = uint32_t;
constexpr uint32_t None = 0xffffffff;

/// A value or an effect. Operands: up to three inline, or a list in Function::lists.
struct Node {
  Op op;
  Type type = Type::None;
  uint8_t aux = 0;
  uint8_t mark = 0;          ///< for the pass that runs
  uint32_t count = 0;        ///< operands
  union {
    uint32_t args[3] = {None, None, None};
    uint32_t list;           ///< first in Function::lists, when count > 3 or a phi
  };
  BlockId block = None;      ///< None: a constant, or removed
  uint32_t wasm_pc = 0;      ///< byte offset in the module
  uint64_t imm = 0;
};

struct Block {
  std::vector<NodeId> nodes;  ///< phis, the rest, the terminator
  std::vector<BlockId> preds, succs;
  BlockId idom = None;
  uint32_t loop_depth = 0;
  float freq = 1;             ///< relative to the entry
  bool loop_header = false;
  bool cold = false;
  bool landing = false;       ///< of an exception, from an Invoke; of any where `tag` is NoIndex
  uint32_t tag = 0;
  bool dispatch = false;      ///< copied to the jumps to it (opt_dispatch.cpp)
};

/// One function. Passes work on it in place.
struct Function {
  const engine::Module* module = nullptr;
  uint32_t index = 0;                 ///< in the module's function index space
  const engine::FuncType* type = nullptr;
  std::vector<Node> nodes;
  std::vector<uint32_t> lists;
  std::vector<Block> blocks;          ///< 0 is the entry
  std::vector<BlockId> order;         ///< reachable blocks; a block stands behind its dominators
  std::vector<uint32_t> tables;       ///< of Switch nodes: for each index the successor to take
  struct Vector { uint64_t low, high; };
  std::vector<Vector> vectors;
  bool thunk = false;                 ///< stands for another function
  bool polls = true;                  ///< at its start, if that is where loops may lead

  Node& operator[](NodeId id) { return nodes[id]; }
  const Node& operator[](NodeId id) const { return nodes[id]; }
  [[nodiscard]] bool in_list(const Node& n) const { return n.count > 3 || n.op == Op::Phi; }
  [[nodiscard]] std::span<uint32_t> args(NodeId id) {
    Node& n = nodes[id];
    return {in_list(n) ? lists.data() + n.list : n.args, n.count};
  }
  [[nodiscard]] std::span<const uint32_t> args(NodeId id) const {
    const Node& n = nodes[id];
    return {in_list(n) ? lists.data() + n.list : n.args, n.count};
  }
  void set_args(NodeId id, std::span<const uint32_t> values);
  NodeId make(Op op, Type type, std::span<const uint32_t> values = {}, uint64_t imm = 0, uint8_t aux = 0);
  NodeId constant(Type type, uint64_t bits);
  /// The index in `vectors` of that value.
  uint32_t vector(uint64_t low, uint64_t high);
  [[nodiscard]] bool is_const(NodeId id) const { return nodes[id].op == Op::Const; }
  [[nodiscard]] NodeId terminator(BlockId b) const { return blocks[b].nodes.back(); }
};

/// Drops unreachable blocks and computes dominators, loops, coldness and frequencies.
void analyse(Function& f);
/// For each block whether one leads to it from the entry. Needs the successors only.
[[nodiscard]] std::vector<bool> reachable(const Function& f);
/// Takes out trivial phis and values that nothing needs.
void clean(Function& f);
/// Replaces every use by `replacement[use]` where that is not None (chains are followed).
void replace_uses(Function& f, std::vector<NodeId>& replacement);

/// The call that the block's Invoke belongs to, which has to stay in front of it, or None.
NodeId invoked_call(const Function& f, BlockId b);

std::string print(const Function& f);
/// What is wrong with the function, or "".
std::string verify(const Function& f);

}  // namespace krait::jit
