// The interpreter's machine: registers, frames, dispatch. Included by the interpreter's own sources only.
//
// A handler is a function per opcode that ends in a tail call to the next one; its parameters are the registers of the
// virtual machine, which clang's preserve_none convention keeps in machine registers all the way:
//
//   locals  slot 0 of the frame's locals         frame  the frame below the operands
//   sp      first free slot of the operand stack table  256 handlers for each of the three cache states
//   pc      the instruction being run            tos, b cached operands, see below
//   stp     next entry of the side table         mem     memory 0; ctx  the running instance
//
// Stack caching: up to two operands live in registers. State 0: none; state 1: the top is in tos; state 2: the top is in
// b and the one below in tos. The state is not data but the place in `table` that the next opcode is looked up in, so
// each handler exists once per state and code may arrive at a label in any of them. SPILL makes any state 0.
//
// Some handlers look at the next opcode and do both: a constant and what computes with it, a comparison and br_if. A local.get
// does so with any instruction, and with a constant or second local.get and any instruction: Handlers::got and its like.
//
// A frame on the value stack, towards higher addresses:
//
//   | params, locals | Frame | operands ... |        a call's arguments, the caller's topmost operands, are
//   ^ locals         ^ frame ^                       the callee's params where they lie
//
// Invariants.
//  1. A frame's `at`, `pc` and `stp` are right while it is not the running one; `at` of the running frame, and
//     Activation::frame and stack_top, are right whenever control is outside the handlers.
//  2. i32 operands and f32 bits are zero-extended in their slot by the interpreter, but slots that others wrote may hold
//     anything in the upper half.
//  3. mem is reloaded after whatever may return from another instance. A shared memory may have grown elsewhere: an
//     access beyond Context::memory0_size looks again before it traps.
//  4. Handlers hold no object with a destructor and let no local's address escape: nothing outlives the tail call.
#pragma once

#include <array>
#include <cstring>

#include "engine/compiler.hpp"
#include "engine/host.hpp"
#include "engine/leb.hpp"
#include "engine/numeric.hpp"
#include "engine/store.hpp"

namespace krait::engine::interp {

struct Run;

/// A guest frame. Kept small: a call fills it, a return reads the caller's.
struct Frame {
  Frame* caller;            ///< null for the activation's outermost
  Run* run;
  Slot* locals;
  const uint8_t* end;       ///< address of the function's final `end`
  const struct Handlers* handlers;
  const Function* function;
  Context* context;
  uint64_t depth;           ///< frames below this one, in all activations of the store
  const uint8_t* at;        ///< the instruction it stands at
  const uint8_t* pc;        ///< where it goes on
  const BranchEntry* stp;
};
constexpr uint32_t FrameSlots = sizeof(Frame) / sizeof(Slot);

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KRAIT_SANITIZED 1  // its frames cannot be laid out in preserve_none
#endif
#endif
#if defined(__clang__) && !defined(KRAIT_SANITIZED) && __has_cpp_attribute(clang::musttail) && \
    __has_attribute(preserve_none)
#define KRAIT_TAIL_CALLS 1
#else
#define KRAIT_TAIL_CALLS 0
#endif

#if KRAIT_TAIL_CALLS
// Argument order is register order: r12-r15, which survive calls to C++, then rdi, rsi, rdx, rcx (b is a shift's count in
// state 2), r8, r9, r11.
#define PARAMS                                                                                                     \
  Slot *locals, Slot *sp, const uint8_t *pc, const BranchEntry *stp, Frame *frame, const Handlers *table, Slot tos, \
      Slot b, std::byte *mem, Context *ctx
#define KRAIT_HANDLER __attribute__((preserve_none))
using Next = bool;
#define JUMP(handler) [[clang::musttail]] return (handler)(locals, sp, pc, stp, frame, table, tos, b, mem, ctx)
#define FINISH(ok) return (ok)
/// Whatever is in a register that the cache state leaves unused: else it would be kept across the handler.
#define FORGET(slot) asm("# no " #slot : "=r"(slot))
#else
// Elsewhere a loop calls the handlers, and the registers are its variables: slower, but in constant stack without
// relying on the optimiser.
struct Next;
#define PARAMS                                                                                             \
  Slot *&locals, Slot *&sp, const uint8_t *&pc, const BranchEntry *&stp, Frame *&frame, const Handlers *&table, \
      Slot &tos, Slot &b, std::byte *&mem, Context *&ctx
#define KRAIT_HANDLER
#define JUMP(handler) return Next{(handler), true}
#define FINISH(ok) return Next{nullptr, (ok)}
#define FORGET(slot) static_cast<void>(slot)
#endif

/// Handlers that hot ones jump to now and then. Inlined there, their calls to C++ would put a stack frame around
/// every path.
#define KRAIT_SLOW __attribute__((noinline)) KRAIT_HANDLER

using Handler = KRAIT_HANDLER Next(PARAMS);
#if !KRAIT_TAIL_CALLS
struct Next {
  Handler* handler;
  bool ok;
};
#endif

/// Handlers by cache state and opcode byte.
struct Handlers {
  Handler* at[3][256];
  /// Of a local.get, whose index has one byte, and the instruction behind it, by the opcode of that one; pc is at the
  /// local.get. Not for functions with v128.
  Handler* got[3][256];
  /// Of a local.get, an i32.const or i64.const of one byte each, and the instruction behind them, by the opcode of that one.
  Handler* got_constant[3][256];
};
/// For functions of single-slot values, and for those with v128 (Function::uses_v128); then the same two for instances
/// with a code image: their calls look for code, and they and loops count (Context::heat).
extern const Handlers AllHandlers[4];

/// A jump to a handler for `state`.
#define JUMP_IN(state, handler)             \
  do {                                      \
    if constexpr ((state) < 2) FORGET(b);   \
    if constexpr ((state) < 1) FORGET(tos); \
    JUMP(handler);                          \
  } while (0)
#define NEXT(state) JUMP_IN(state, table->at[state][*pc])
#define SPILL(state)                         \
  do {                                       \
    if constexpr ((state) == 1) *sp++ = tos; \
    if constexpr ((state) == 2) {            \
      sp[0] = tos, sp[1] = b;                \
      sp += 2;                               \
    }                                        \
  } while (0)
/// Leaves the instruction at pc with a trap.
#define TRAP(kind)                 \
  do {                             \
    tos = static_cast<Slot>(kind); \
    JUMP(trap);                    \
  } while (0)
/// After a C++ helper that raised a trap, or that found where a caught exception goes on.
#define UNWIND() JUMP(unwind)

/// The handlers of one instruction, by cache state and table: Wide ones, of functions with v128, do not act on the
/// local.get or local.set behind them. The primary template, in interp_numeric.inc, is the numeric instruction that
/// Semantics describes.
template <unsigned State, bool Wide, Opcode O>
struct Op;
#define INSTRUCTION(name)                            \
  template <unsigned State, bool Wide>               \
  struct Op<State, Wide, Opcode::name> {             \
    static KRAIT_HANDLER Next run(PARAMS);           \
  };                                                 \
  template <unsigned State, bool Wide>               \
  KRAIT_HANDLER Next Op<State, Wide, Opcode::name>::run(PARAMS)
/// An instruction whose handler is that of others as well, or of a fused pair.
#define INSTRUCTION_IS(name, ...)                    \
  template <unsigned State, bool Wide>               \
  struct Op<State, Wide, Opcode::name> {             \
    static constexpr Handler* run = __VA_ARGS__;     \
  };
/// The same, and the handler of a local.get and the instruction, both in parentheses.
#define INSTRUCTION_GOT(name, handler, handler_got)  \
  template <unsigned State, bool Wide>               \
  struct Op<State, Wide, Opcode::name> {             \
    static constexpr Handler* run = handler;         \
    static constexpr Handler* run_got = handler_got; \
  };
/// An instruction that is written once, for state 0; in the others its handler spills first.
#define COLD_INSTRUCTION(name)                       \
  static KRAIT_HANDLER Next cold_##name(PARAMS);     \
  template <unsigned State, bool Wide>               \
  struct Op<State, Wide, Opcode::name> {             \
    static KRAIT_HANDLER Next run(PARAMS) {          \
      SPILL(State);                                  \
      JUMP(cold_##name);                             \
    }                                                \
  };                                                 \
  static KRAIT_HANDLER Next cold_##name(PARAMS)

/// Handlers of prefixed instructions, by the number behind the prefix; entered in state 0 with pc at the prefix
/// and tos the address behind the number.
constexpr uint32_t BulkCount = 0x12, SimdCount = 0x114, AtomicCount = 0x4f;
template <uint32_t Count>
using PrefixTable = std::array<Handler*, Count>;
extern const PrefixTable<BulkCount> BulkHandlers;
extern const PrefixTable<SimdCount> SimdHandlers;
extern const PrefixTable<AtomicCount> AtomicHandlers;

KRAIT_HANDLER Next trap(PARAMS);      ///< tos: the TrapKind
KRAIT_HANDLER Next unwind(PARAMS);    ///< goes on where `run` says, or leaves the activation
/// Loads all registers from `frame`, which is run.innermost(), and sp from `run`. (The frame that threw may by now lie
/// under the payload.)
KRAIT_HANDLER Next resume(PARAMS);

/// An activation of the interpreter.
struct Run : Activation {
  Store* store;
  Slot* stack_end;
  uint64_t depth_limit;
  // The module of the running frame.
  const Function* functions;  // of the first defined function
  uint32_t imported;
  const uint8_t* bytes;
  const BranchEntry* side_table;
  const uint32_t* canonical_type;
  const Handlers* handlers;  // two of AllHandlers
  const void* interpreter_entry;  // what stands in Context::code where there is no machine code
  // Between a helper and the handler that takes over from it.
  Slot* sp;
  FuncInstance* callee;

  [[nodiscard]] Frame* innermost() const { return static_cast<Frame*>(frame); }
  void set_context(const Context& context) {
    const Module& module = context.instance->module();
    handlers = AllHandlers + (context.code ? 2 : 0);
    functions = module.functions.data();
    imported = module.imported_funcs;
    bytes = reinterpret_cast<const uint8_t*>(module.bytes().data());
    side_table = module.side_table().data();
    canonical_type = module.canonical_type.data();
  }
  /// Before control leaves the handlers: makes invariant 1 true.
  void leave(Frame* at_frame, const uint8_t* at, Slot* top) {
    at_frame->at = at;
    frame = at_frame;
    stack_top = top;
  }
};

/// Finds the handler of `exception` among the run's frames from run.frame outwards. True: run.frame, its pc and stp,
/// and run.sp say where to go on. False: no frame takes it.
bool find_catch(Run& run, Exception* exception);
/// Throws: find_catch, or raises a trap of kind UncaughtException.
bool throw_exception(Run& run, Exception* exception);
/// After a call out returned false: an exception that left it may be caught here.
bool catch_from_callee(Run& run);

template <typename T>
void write_raw(void* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace krait::engine::interp
