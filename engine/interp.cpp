// The interpreter's entry, exits and dispatch tables; interp_core.hpp says how the machine works.
#include "engine/interp.hpp"

#include <algorithm>
#include <bit>

#include "engine/interp_access.hpp"

namespace krait::engine::interp {

namespace {
/// Code of the root frame: an opcode that wasm does not have, whose handler leaves the activation.
constexpr uint8_t ExitOpcode = 0xff;
constexpr uint8_t ExitCode[] = {ExitOpcode};
}  // namespace

#include "engine/interp_fused.inc"
#include "engine/interp_control.inc"
#include "engine/interp_memory.inc"
#include "engine/interp_numeric.inc"
#include "engine/interp_variables.inc"

// Exceptions -------------------------------------------------------------------------------------------------

static KRAIT_HANDLER Next throw_pending(PARAMS) {  // tos: the exception
  Run& run = *frame->run;
  run.leave(frame, pc, sp);
  if (!throw_exception(run, reinterpret_cast<Exception*>(tos))) FINISH(false);
  frame = run.innermost();
  JUMP(resume);
}

COLD_INSTRUCTION(Throw) {
  const uint8_t* next = pc + 1;
  TagInstance& tag = ctx->instance->tag(leb_u32(next));
  const uint32_t slots = tag.type->param_slots;
  frame->run->leave(frame, pc, sp);
  tos = reinterpret_cast<Slot>(ctx->store->new_exception(&tag, {sp - slots, slots}));
  JUMP(throw_pending);
}

COLD_INSTRUCTION(ThrowRef) {
  tos = *--sp;
  if (!tos) {
    frame->run->leave(frame, pc, sp);
    FINISH(ctx->store->raise(Trap::make(TrapKind::NullReference, "null exception reference")));
  }
  JUMP(throw_pending);
}

COLD_INSTRUCTION(Rethrow) {
  tos = locals[stp->keep];
  JUMP(throw_pending);
}

// Exits and entries ------------------------------------------------------------------------------------------

KRAIT_HANDLER Next trap(PARAMS) {
  Run& run = *frame->run;
  run.leave(frame, pc, sp);
  FINISH(run.store->raise(static_cast<TrapKind>(tos)));
}

KRAIT_HANDLER Next unwind(PARAMS) {
  Run& run = *frame->run;
  if (!catch_from_callee(run)) FINISH(false);
  frame = run.innermost();
  JUMP(resume);
}

KRAIT_HANDLER Next resume(PARAMS) {
  Run& run = *frame->run;
  locals = frame->locals;
  sp = run.sp;
  pc = frame->pc;
  stp = frame->stp;
  table = frame->handlers;
  ctx = frame->context;
  run.set_context(*ctx);
  mem = ctx->memory0_base;
  NEXT(0);
}

template <unsigned State>
static KRAIT_HANDLER Next exit_activation(PARAMS) {
  SPILL(State);
  FINISH(true);
}

/// Bytes that are no opcode: the validator lets none through.
static KRAIT_HANDLER Next no_opcode(PARAMS) { TRAP(TrapKind::Unreachable); }

// Prefixes ---------------------------------------------------------------------------------------------------

template <unsigned State, const auto& Table>
static KRAIT_HANDLER Next prefix(PARAMS) {
  SPILL(State);
  const uint8_t* next = pc + 1;
  const uint32_t code = leb_u32(next);
  tos = reinterpret_cast<Slot>(next);
  JUMP(Table[code]);
}

// The tables -------------------------------------------------------------------------------------------------

/// What a local.get does together with the instructions behind it.
template <unsigned State>
constexpr void fill_got(Handlers& handlers) {
  for (unsigned i = 0; i < 256; ++i) {
    handlers.got[State][i] = get_other<State>;
    handlers.got_constant[State][i] = get_constant<State>;
  }
#define OP(name, text, prefix, code, immediates, signature)                                      \
  if constexpr (prefix == 0) {                                                                   \
    using Each = Op<State, false, Opcode::name>;                                                 \
    if constexpr (requires { Each::run_got; }) handlers.got[State][code & 0xff] = Each::run_got; \
    if constexpr (requires { requires Each::TakesConstant; })                                    \
      handlers.got_constant[State][code & 0xff] = Each::run_got_constant;                        \
  }
#include "engine/opcodes.def"
#undef OP
}

template <unsigned State, bool Wide, bool Mixed>
constexpr void fill_state(Handlers& handlers) {
  Handler** at = handlers.at[State];
  for (unsigned i = 0; i < 256; ++i) at[i] = no_opcode;
#define OP(name, text, prefix, code, immediates, signature) \
  if constexpr (prefix == 0) at[code & 0xff] = Op<State, Wide, Opcode::name>::run;
#include "engine/opcodes.def"
#undef OP
  at[0xfc] = prefix<State, BulkHandlers>;
  at[0xfd] = prefix<State, SimdHandlers>;
  at[0xfe] = prefix<State, AtomicHandlers>;
  at[ExitOpcode] = exit_activation<State>;
  if constexpr (Mixed) {
    at[0x03] = counted_loop<State>;
    at[0x10] = mixed_call<State>;
    at[0x11] = mixed_call_indirect<State>;
  }
  if constexpr (!Wide) {
    fill_got<State>(handlers);
    return;
  }
  at[0x1a] = wide_drop<State>;
  at[0x1b] = wide_select<State, false>;
  at[0x1c] = wide_select<State, true>;
  at[0x20] = wide_local_get<State>;
  at[0x21] = wide_local_put<State, false>;
  at[0x22] = wide_local_put<State, true>;
  at[0x23] = wide_global<State, false>;
  at[0x24] = wide_global<State, true>;
}

template <bool Wide, bool Mixed>
constexpr Handlers make_handlers() {
  Handlers handlers{};
  fill_state<0, Wide, Mixed>(handlers);
  fill_state<1, Wide, Mixed>(handlers);
  fill_state<2, Wide, Mixed>(handlers);
  return handlers;
}

constexpr Handlers AllHandlers[4] = {make_handlers<false, false>(), make_handlers<true, false>(), make_handlers<false, true>(),
                                     make_handlers<true, true>()};

namespace {

/// Calls `callee` with its arguments at run.sp and runs until the root frame or a trap.
bool run_to_exit(Run& run, Frame& root, FuncInstance& callee) {
  const BranchEntry* stp = nullptr;
  Frame* frame = &root;
  const Handlers* table = root.handlers;
  Slot* locals = root.locals;
  Slot* sp = run.sp;
  const uint8_t* pc = root.pc;
  Slot tos = reinterpret_cast<Slot>(run.functions + (callee.index - run.imported)), b = 0;
  Context* ctx = callee.context;
  std::byte* mem = ctx->memory0_base;
#if KRAIT_TAIL_CALLS
  return enter(locals, sp, pc, stp, frame, table, tos, b, mem, ctx);
#else
  Next next{enter, true};
  while (next.handler) next = next.handler(locals, sp, pc, stp, frame, table, tos, b, mem, ctx);
  return next.ok;
#endif
}

/// The first free slot of the value stack.
Slot* free_slots(Store& store) {
  for (const Activation* a = store.activation(); a; a = a->previous)
    if (a->stack_top) return a->stack_top;
  return store.value_stack().begin();
}

/// Frames in the activations below.
uint64_t depth_below(const Store& store) {
  uint64_t depth = 0;
  for (const Activation* a = store.activation(); a; a = a->previous)
    if (a->kind == Activation::Kind::Interpreter) return depth + static_cast<const Frame*>(a->frame)->depth;
    else depth += a->depth;
  return depth;
}

}  // namespace
}  // namespace krait::engine::interp

namespace krait::engine {

bool interpret(Store& store, FuncInstance& func, Slot* slots) {
  using namespace interp;
  const FuncType& type = *func.type;
  Slot* const base = free_slots(store);
  const uint32_t most = std::max(type.param_slots, type.result_slots);
  if (!base || static_cast<uint64_t>(store.value_stack().end() - base) < most ||
      static_cast<const std::byte*>(__builtin_frame_address(0)) < store.native_stack_limit())
    return store.raise(TrapKind::StackOverflow);
  Run run;
  run.previous = store.activation();
  run.kind = Activation::Kind::Interpreter;
  run.store = &store;
  run.stack_end = store.value_stack().end();
  run.depth_limit = store.options().max_call_depth;
  Compiler* compiler = store.options().compiler;
  run.interpreter_entry = compiler ? compiler->interpreter_entry() : nullptr;
  run.set_context(*func.context);
  if (std::atomic<int32_t>* heat = func.context->heat) {
    const uint32_t defined = func.index - run.imported;
    if (cool(heat[defined])) (void)func.context->instance->code_image()->hot(defined, NoIndex);
  }
  std::copy_n(slots, type.param_slots, base);  // slots is null where there are none
  run.sp = base + type.param_slots;
  Frame root{nullptr, &run, base, nullptr, &AllHandlers[0], nullptr, func.context, depth_below(store), ExitCode, ExitCode, nullptr};
  run.leave(&root, ExitCode, run.sp);
  store.set_activation(&run);
  const bool ok = run_to_exit(run, root, func);
  store.set_activation(run.previous);
  if (ok) std::copy_n(base, type.result_slots, slots);
  return ok;
}

void interpreter_trace(const Activation& activation, Trap& trap) {
  for (auto* f = static_cast<const interp::Frame*>(activation.frame); f && f->function; f = f->caller) {
    if (trap.trace.size() >= Trap::MaxTraceFrames) {
      ++trap.frames_dropped;
      continue;
    }
    const Module& module = f->context->instance->module();
    const auto index = static_cast<uint32_t>(f->function - module.functions.data()) + module.imported_funcs;
    const auto* bytes = reinterpret_cast<const uint8_t*>(module.bytes().data());
    trap.trace.push_back({module.name(), module.func_name(index), index, static_cast<uint32_t>(f->at - bytes)});
  }
}

}  // namespace krait::engine
