// The validator: types each function body, as the algorithm in the spec's appendix does, and in the
// same pass makes its side table, try regions and frame layout.
//
// Invariants.
//  1. The operand stack has an element for each slot, a v128 is two, and so have the lists of types
//  that are
//     pushed and popped. So heights and lengths are slots, and most lists are compared and copied
//     as bytes.
//  2. While a branch awaits its label's target, its entry holds the branch's pc in delta_stp and
//  the next such
//     entry in delta_pc (NoLink ends the list); a catch clause holds the next one in target_pc.
//  3. dead_ is true where the spec's algorithm has made the stack polymorphic in this block or an
//  outer one;
//     then nothing is emitted.
//  4. A function whose first v128 shows up in its body is validated again from its start, with
//  uses_v128 set:
//     then drop and select have entries from its first instruction on.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "engine/facts.hpp"
#include "engine/instruction.hpp"
#include "engine/module.hpp"
#include "engine/reader.hpp"

namespace krait::engine {

/// What a module says of itself outside of Module and code refers to.
struct ModuleContext {
  Module& module;
  Features features;
  std::vector<bool> declared_funcs;  ///< functions that ref.func may name in bodies
  bool has_data_count = false;
  uint32_t data_count = 0;
};

/// Checks and skips the constant expression at the reader's position. False on an error, which the
/// reader has.
bool validate_const_expr(ModuleContext& context, Reader& reader, ValType expected, ConstExpr& out);

/// The type as a list by slot; empty for Bottom. Of any lifetime.
std::span<const ValType> slots_of_one(ValType type);

/// Validates function bodies, one after another; keeps its stacks' memory between them.
class Validator {
 public:
  /// Appends to `side_table`.
  Validator(ModuleContext& context, Reader& reader, std::vector<BranchEntry>& side_table);

  /// The body that fills the rest of the reader's range, behind the locals. `function` has its type
  /// and locals; the rest of it is filled in. False on an error, which the reader has.
  bool validate(FunctionDraft& function);

 private:
  struct Frame {
    Opcode opcode;     // Block, Loop, If, Else, Try, Catch, CatchAll, TryTable
    bool unreachable;  // the stack is polymorphic
    bool dead_on_entry;
    uint32_t height;                           // operand slots below the block
    std::span<const ValType> params, results;  // by slot
    uint32_t entries;                          // entries that await the end's address (invariant 2)
    uint32_t clauses;                          // catch clauses that do
    uint32_t else_entries;    // if: its entry, which awaits the else branch (a list as well)
    uint32_t pc, stp;         // of the block's instruction
    uint32_t body;            // loop: its first instruction, see first_of_body
    uint32_t region;          // innermost region around what is in the block
    uint32_t own_region;      // legacy try: its region, or NoIndex
    uint32_t first_handler;   // legacy try: its clauses in handlers_ begin there
    uint32_t handler_depth;   // legacy handlers around what is in the block
    uint32_t exception_slot;  // legacy handler: the slot of what it caught
    uint32_t last_check;      // br_table that looked at this label last
    [[nodiscard]] std::span<const ValType> label_types() const {
      return opcode == Opcode::Loop ? params : results;
    }
  };
  /// The function types by slot (invariant 1).
  class Types {
   public:
    struct Lists {
      std::span<const ValType> params, results;
    };
    explicit Types(std::span<const FuncType> types);
    const Lists& operator[](uint32_t type_index) const { return each_[type_index]; }

   private:
    std::span<const ValType> of(std::span<const ValType> types, uint32_t slots);
    std::vector<Lists> each_;
    std::deque<std::vector<ValType>> wide_;  // of those with v128
  };
  static constexpr uint32_t NoLink = 0x7fffffff;

  // validate.cpp: the walk, and instructions without control flow
  void begin(FunctionDraft& function);
  bool run();
  bool finish();
  bool simple(const OpcodeTraits& traits);
  bool access(const OpcodeTraits& traits);
  bool memory_or_table();
  bool special();
  bool check_memory(uint32_t index);
  bool check_last_memory(uint32_t index);
  bool check_data(uint32_t index);
  bool check_table(uint32_t index);
  bool check_elements(uint32_t index);
  bool local();
  bool global();
  bool table();
  bool drop();
  bool select();
  bool reference();
  bool fail(const std::string& message);
  bool fail_index(const char* what, uint32_t index, size_t count);

  // validate_stack.cpp: the operand stack
  void push(ValType type) {
    if (type == ValType::V128) push_slot(type);
    push_slot(type);
  }
  void push_slot(ValType type) {
    if (top_ == max_) [[unlikely]]
      raise_max(top_ + 1);
    stack_[top_++] = type;
  }
  bool pop(ValType expected) {
    if (top_ > frame_height_ && stack_[top_ - 1] == expected) [[likely]] {
      top_ -= slots_of(expected);
      return true;
    }
    return pop_unequal(expected);
  }
  void raise_max(uint32_t height);
  bool pop_unequal(ValType expected);
  bool pop_any(ValType& out);
  bool pop_list(std::span<const ValType> slots);
  void push_list(std::span<const ValType> slots);
  bool check_top(std::span<const ValType> slots);
  [[nodiscard]] size_t arity_of(std::span<const ValType> slots) const;
  bool needs_v128(const FuncType& type);
  bool fail_type(std::string_view expected, ValType found);

  // validate_control.cpp: blocks, branches, calls; the side table
  bool control();
  bool open_block();
  bool block_types(std::span<const ValType>& params, std::span<const ValType>& results);
  bool open(Opcode opcode, std::span<const ValType> params, std::span<const ValType> results);
  bool else_branch();
  bool end();
  bool pop_results();
  void restart_frame(Opcode opcode);
  void close(uint32_t target_pc);
  void set_unreachable();
  Frame* label(uint32_t depth);
  bool branch();
  bool branch_table();
  bool return_values();
  bool call();
  [[nodiscard]] uint32_t stp() const {
    return static_cast<uint32_t>(side_table_.size()) - function_->side_table;
  }
  void emit(uint32_t keep, uint32_t drop);
  void push_entry(uint32_t& list, uint32_t keep, uint32_t drop);
  void emit_to(Frame& target);
  uint32_t first_of_body(Frame& loop);
  void resolve(uint32_t entry, uint32_t target_pc);

  // validate_exceptions.cpp
  bool exceptions();
  bool check_tag(uint32_t tag);
  bool throw_tag();
  bool rethrow();
  bool open_try();
  bool handler();
  bool delegate();
  bool open_try_table();
  bool add_clause(const TryTableClause& clause);
  uint32_t add_region();
  void end_try_body(Frame& frame);
  void close_legacy_try(const Frame& frame);

  ModuleContext& context_;
  Module& module_;
  std::vector<BranchEntry>& side_table_;
  Reader& reader_;
  Types types_;
  Instruction in_{};
  FunctionDraft* function_ = nullptr;

  std::vector<ValType> stack_;
  uint32_t top_ = 0;
  uint32_t max_ = 0;  // highest top_ so far; stack_ holds at least as many
  std::vector<Frame> frames_;
  Frame* frame_ = nullptr;     // frames_.back()
  uint32_t frame_height_ = 0;  // frame_->height
  bool dead_ = false;
  bool restart_ = false;               // invariant 4
  std::vector<CatchClause> handlers_;  // of the legacy tries that are open
  uint32_t declared_slots_ = 0;        // of params and locals
};

}  // namespace krait::engine
