// Functions that machine code calls.
//
// Invariants.
//  1. Each begins by noting its caller's pc and stack pointer in the Activation, so that a trap has its backtrace.
//  2. Where one raises a trap it leaves through leave(), which drops all frames up to the Activation's entry: so
//     nothing with a destructor is alive in the function that calls leave().
//  3. A false from what calls a guest is a trap, or a tail call for whoever entered this activation (Store::tail_call): both leave.
//  4. Results are 64-bit; an i32 has its upper half zero.
#include "jit/builtins.hpp"

#include <cstddef>
#include <cstring>

#include "engine/atomics.hpp"
#include "engine/bulk.hpp"
#include "engine/host.hpp"
#include "engine/interp.hpp"
#include "jit/convention.hpp"
#include "jit/image.hpp"

namespace krait::jit {
namespace {

using engine::Activation;
using engine::Context;
using engine::FuncEntry;
using engine::FuncInstance;
using engine::Memory;
using engine::Slot;
using engine::TableInstance;
using engine::TrapKind;

// What Activation::pc is, kept in Activation::depth: a return address, or a faulting instruction.
constexpr uint32_t PcReturns = 0, PcFaults = 1;

/// Ends the activation's machine code: its entry thunk returns false.
[[noreturn, gnu::naked]] void leave(Activation*) {
  asm volatile(
      "movq %c0(%%rdi), %%rsp\n"
      "xorl %%eax, %%eax\n"
      "popq %%r15\n popq %%r14\n popq %%r13\n popq %%r12\n popq %%rbp\n popq %%rbx\n"
      "ret\n" ::"i"(offsetof(Activation, unwind) + 8 * UnwindEntry));
}

[[noreturn, gnu::noinline]] void raise(Context* context, TrapKind kind) {
  context->store->raise(kind);
  leave(context->store->activation());
}

/// Goes on at `pc` with `rsp`. All else a landing expects in memory.
[[noreturn, gnu::naked]] void land(Context*, const void*, const void*) {
  asm volatile("movq %rdi, %r15\n movq (%rdi), %r14\n movq %rdx, %rsp\n jmp *%rsi\n");
}

struct LandingTarget {
  const void* pc;
  const void* rsp;
};

/// The innermost landing for the exception among the activation's frames, all of the context's instance. pc null: none.
LandingTarget find_landing(Context* context, Activation& activation, const engine::Exception* exception) {
  const auto& image = *static_cast<const WalkedImage*>(static_cast<engine::CodeImage*>(activation.unwind[UnwindImage]));
  const auto* pc = static_cast<const std::byte*>(activation.pc);
  const auto* frame = static_cast<const std::byte*>(activation.frame);
  for (CodePlace place; image.find(pc, true, place);) {
    for (const Landing& l : place.landings)
      if (l.tag == engine::NoIndex || &context->instance->tag(l.tag) == exception->tag) return {place.base + l.target, frame};
    std::memcpy(&pc, frame + place.frame_bytes, sizeof pc);
    frame += place.frame_bytes + 8 + place.arguments;
  }
  return {nullptr, nullptr};
}

[[gnu::noinline]] void drop_trap(engine::Store& store) { (void)store.take_trap(); }

/// Goes to the landing for the exception, if this activation has one.
void try_to_land(Context* context, engine::Exception* exception) {
  Activation& activation = *context->store->activation();
  const LandingTarget target = find_landing(context, activation, exception);
  if (!target.pc) return;
  if (context->store->trapping()) drop_trap(*context->store);
  activation.unwind[UnwindCaught] = exception;
  land(context, target.pc, target.rsp);
}

/// Behind what left a trap: a handler takes it, or the activation ends.
[[noreturn, gnu::noinline]] void leave(Context* context) {
  if (engine::Exception* exception = context->store->pending_exception()) try_to_land(context, exception);
  leave(context->store->activation());
}

#define NOTE_FRAME(context)                                                             \
  do {                                                                                  \
    Activation* activation_ = (context)->store->activation();                           \
    activation_->frame = static_cast<std::byte*>(__builtin_frame_address(0)) + 16;      \
    activation_->pc = __builtin_return_address(0);                                      \
    activation_->depth = PcReturns;                                                     \
  } while (0)

bool call_func(Context* context, FuncInstance& func, Slot* slots) {
  if (func.host) {
    engine::Caller caller(*context->store, context);
    return func.host->invoke(*func.host, caller, slots);
  }
  if (static_cast<const std::byte*>(__builtin_frame_address(0)) < context->stack_limit)
    return context->store->raise(TrapKind::StackOverflow);
  return context->store->call_raw(func, slots);
}

/// Whether a frame that ends, with its arguments, at `end` is the outermost of its activation.
bool is_outermost(Context* context, const void* end) { return context->store->activation()->unwind[UnwindBottom] == end; }

/// A thunk that stands in the outermost frame was called by the host, or in place of a guest's frame. Its function may as well be
/// called by whoever entered the activation: then chains of tail calls that leave and come back take no stack.
void leave_if_outermost(Context* context, FuncInstance& func, const Slot* slots, const void* end) {
  if (func.host || !is_outermost(context, end)) return;
  context->store->tail_call(func, slots);
  leave(context->store->activation());
}

void call_import(Context* context, uint64_t index, Slot* slots, const void* end) {
  NOTE_FRAME(context);
  FuncInstance& func = *context->imports[index];
  leave_if_outermost(context, func, slots, end);
  if (!call_func(context, func, slots)) leave(context);
}

void call_interpreter(Context* context, uint64_t index, Slot* slots, const void* end) {
  NOTE_FRAME(context);
  FuncInstance& func = context->instance->func(static_cast<uint32_t>(index));
  leave_if_outermost(context, func, slots, end);
  if (static_cast<const std::byte*>(__builtin_frame_address(0)) < context->stack_limit) raise(context, TrapKind::StackOverflow);
  if (!context->store->finish(engine::interpret(*context->store, func, slots), slots)) leave(context);
}

void call_ref(Context* context, FuncInstance* func, Slot* slots) {
  NOTE_FRAME(context);
  if (!call_func(context, *func, slots)) leave(context);
}

void reference_stub_code();

/// Where a tail call is to jump at once: to the function's code, if that is this instance's, or to a stub that calls it.
uint64_t code_of(Context* context, FuncInstance* func) {
  if (func->context == context)
    if (const void* code = engine::load_code(*context, func->index - context->imported_funcs); code != entry_stub())
      return reinterpret_cast<uint64_t>(code);
  context->store->activation()->unwind[UnwindCallee] = func;
  return reinterpret_cast<uint64_t>(&reference_stub_code);
}

uint64_t resolve_indirect(Context* context, uint64_t table, uint64_t index, uint64_t type) {
  NOTE_FRAME(context);
  const TableInstance& t = *context->tables[table];
  if (index >= t.size()) raise(context, TrapKind::UndefinedElement);
  FuncInstance* func = t.func(index);
  if (!func) raise(context, TrapKind::UninitializedElement);
  if (!(*func->type == context->instance->module().types[type])) raise(context, TrapKind::IndirectCallTypeMismatch);
  return reinterpret_cast<uint64_t>(func);
}

// -- Exceptions -----------------------------------------------------------------------------------------------

[[gnu::noinline]] void raise_uncaught(Context* context, engine::Exception* exception) {
  engine::Trap trap = engine::Trap::make(TrapKind::UncaughtException);
  trap.exception = exception;
  context->store->raise(std::move(trap));
}

[[noreturn]] void throw_exception(Context* context, engine::Exception* exception) {
  try_to_land(context, exception);
  raise_uncaught(context, exception);
  leave(context->store->activation());
}

void throw_tag(Context* context, uint64_t tag, Slot* slots) {
  NOTE_FRAME(context);
  engine::TagInstance& t = context->instance->tag(static_cast<uint32_t>(tag));
  throw_exception(context, context->store->new_exception(&t, {slots, t.type->param_slots}));
}

void throw_ref(Context* context, engine::Exception* exception) {
  NOTE_FRAME(context);
  if (!exception) raise(context, TrapKind::NullReference);
  throw_exception(context, exception);
}

uint64_t caught_exception(Context* context) { return reinterpret_cast<uint64_t>(context->store->activation()->unwind[UnwindCaught]); }
uint64_t exception_payload(Context*, const engine::Exception* exception, uint64_t slot) { return exception->payload[slot]; }

// -- Memory -------------------------------------------------------------------------------------------------

uint64_t memory_grow(Context* context, uint64_t memory, uint64_t delta) {
  NOTE_FRAME(context);
  return static_cast<uint32_t>(context->store->grow(*context->memories[memory], delta));
}

void memory_copy(Context* context, uint64_t to_memory, uint64_t from_memory, uint64_t to, uint64_t from, uint64_t length) {
  NOTE_FRAME(context);
  Memory &t = *context->memories[to_memory], &f = *context->memories[from_memory];
  if (!engine::bulk::memory_copy(t, to, f, from, length)) raise(context, TrapKind::MemoryOutOfBounds);
}

void memory_fill(Context* context, uint64_t memory, uint64_t to, uint64_t value, uint64_t length) {
  NOTE_FRAME(context);
  if (!engine::bulk::memory_fill(*context->memories[memory], to, value, length)) raise(context, TrapKind::MemoryOutOfBounds);
}

void memory_init(Context* context, uint64_t segment, uint64_t memory, uint64_t to, uint64_t from, uint64_t length) {
  NOTE_FRAME(context);
  const std::span<const std::byte> data = context->instance->data(static_cast<uint32_t>(segment));
  if (!engine::bulk::memory_init(*context->memories[memory], to, data, from, length)) raise(context, TrapKind::MemoryOutOfBounds);
}

void data_drop(Context* context, uint64_t segment) { context->instance->drop_data(static_cast<uint32_t>(segment)); }

uint64_t memory_size(Context* context, uint64_t memory) { return context->memories[memory]->pages(); }

/// An access beyond what the guard pages cover, or that has no register to be checked in: the address, if all is inside.
uint64_t memory_check(Context* context, uint64_t memory, uint64_t address, uint64_t offset, uint64_t bytes) {
  NOTE_FRAME(context);
  if (!context->memories[memory]->contains(address + offset, bytes)) raise(context, TrapKind::MemoryOutOfBounds);
  return address + offset;
}

uint64_t atomic_check(Context* context, uint64_t memory, uint64_t address, uint64_t offset, uint64_t bytes) {
  NOTE_FRAME(context);
  if ((address + offset) % bytes != 0) raise(context, TrapKind::UnalignedAtomic);
  if (!context->memories[memory]->contains(address + offset, bytes)) raise(context, TrapKind::MemoryOutOfBounds);
  return address + offset;
}

/// `address` has passed atomic_check.
template <typename T>
uint64_t atomic_wait_on(Context* context, uint64_t memory, uint64_t address, uint64_t expected, uint64_t timeout) {
  NOTE_FRAME(context);
  Memory& m = *context->memories[memory];
  if (!m.shared()) raise(context, TrapKind::ExpectedSharedMemory);
  const engine::WaitResult result =
      engine::atomic_wait<T>(*context, m.base() + address, static_cast<T>(expected), static_cast<int64_t>(timeout));
  if (result == engine::WaitResult::Interrupted) leave(context);
  return static_cast<uint64_t>(result);
}

uint64_t atomic_notify(Context* context, uint64_t memory, uint64_t address, uint64_t count) {
  Memory& m = *context->memories[memory];
  return m.shared() ? engine::atomic_notify(m.base() + address, static_cast<uint32_t>(count)) : 0;
}

// -- Tables -------------------------------------------------------------------------------------------------

uint64_t table_get(Context* context, uint64_t table, uint64_t index) {
  NOTE_FRAME(context);
  const TableInstance& t = *context->tables[table];
  if (index >= t.size()) raise(context, TrapKind::TableOutOfBounds);
  return t.get(index);
}

void table_set(Context* context, uint64_t table, uint64_t index, uint64_t value) {
  NOTE_FRAME(context);
  TableInstance& t = *context->tables[table];
  if (index >= t.size()) raise(context, TrapKind::TableOutOfBounds);
  t.set(index, value);
}

uint64_t table_size(Context* context, uint64_t table) { return static_cast<uint32_t>(context->tables[table]->size()); }

uint64_t table_grow(Context* context, uint64_t table, uint64_t value, uint64_t delta) {
  NOTE_FRAME(context);
  return static_cast<uint32_t>(context->tables[table]->grow(delta, value));
}

void table_fill(Context* context, uint64_t table, uint64_t at, uint64_t value, uint64_t length) {
  NOTE_FRAME(context);
  if (!engine::bulk::table_fill(*context->tables[table], at, value, length)) raise(context, TrapKind::TableOutOfBounds);
}

void table_copy(Context* context, uint64_t to_table, uint64_t from_table, uint64_t to, uint64_t from, uint64_t length) {
  NOTE_FRAME(context);
  TableInstance &t = *context->tables[to_table], &f = *context->tables[from_table];
  if (!engine::bulk::table_copy(t, to, f, from, length)) raise(context, TrapKind::TableOutOfBounds);
}

void table_init(Context* context, uint64_t segment, uint64_t table, uint64_t to, uint64_t from, uint64_t length) {
  NOTE_FRAME(context);
  TableInstance& t = *context->tables[table];
  if (!engine::bulk::table_init(t, to, *context->instance, static_cast<uint32_t>(segment), from, length))
    raise(context, TrapKind::TableOutOfBounds);
}

void elem_drop(Context* context, uint64_t segment) { context->instance->drop_elements(static_cast<uint32_t>(segment)); }

uint64_t ref_func(Context* context, uint64_t index) {
  return reinterpret_cast<uint64_t>(&context->instance->func(static_cast<uint32_t>(index)));
}

// -- Stubs ----------------------------------------------------------------------------------------------------

/// As entry_stub_code() lays it out on the stack.
struct SavedRegisters {
  uint64_t ints[IntArgs.size()];          // in the order of IntArgs; results: the first two
  uint64_t floats[FloatArgs.size()][2];   // results: the first two
  uint64_t kept[2];
};
constexpr size_t StubFrame = sizeof(SavedRegisters) + 8;  // keeps rsp aligned
static_assert(offsetof(SavedRegisters, floats) == 48 && offsetof(SavedRegisters, kept) == 176);
static_assert(StubFrame % 16 == 8);

/// `end`: where the arguments on the stack end.
[[gnu::noinline]] bool marshal_call(Context* context, FuncInstance& func, SavedRegisters* saved, uint64_t* stack, const void* end) {
  const engine::FuncType& type = *func.type;
  const Signature s = signature_of(type);
  std::vector<Slot> slots(std::max<size_t>({type.param_slots, type.result_slots, 1}));
  size_t ints = 0, floats = 0;
  auto place = [&](const Place& p) -> uint64_t* {
    return p.reg == NoPReg ? stack + p.offset / 8 : is_float(p.type) ? saved->floats[floats++] : &saved->ints[ints++];
  };
  Slot* slot = slots.data();
  for (const Place& p : s.params) {
    const uint64_t* from = place(p);
    *slot++ = *from;
    if (p.type == Type::V128) *slot++ = from[1];
  }
  if (!func.host && is_outermost(context, end)) return context->store->tail_call(func, slots.data());
  if (!call_func(context, func, slots.data())) return false;
  ints = floats = 0;
  slot = slots.data();
  for (const Place& p : s.results) {
    uint64_t* to = place(p);
    *to = p.type == Type::I32 ? static_cast<uint32_t>(*slot) : *slot;
    ++slot;
    if (p.type == Type::V128) to[1] = *slot++;
  }
  return true;
}

[[gnu::noinline]] uint64_t argument_bytes(const engine::FuncType& type) { return signature_of(type).arguments; }

FuncInstance* callee_of(Context* context, const FuncEntry* entry) {
  if (!entry) return static_cast<FuncInstance*>(context->store->activation()->unwind[UnwindCallee]);
  return entry->func & engine::ForeignFlag ? context->tables[0]->resolve(entry->func) : &context->instance->func(entry->func);
}

/// A call through an entry of the home's table 0, or of CodeArea's calls, or (null) of what code_of() noted. Returns the bytes of
/// arguments on the stack, which the stub takes off.
extern "C" uint64_t krait_jit_call_entry(Context* context, const FuncEntry* entry, SavedRegisters* saved) {
  auto* above = reinterpret_cast<std::byte*>(saved) + StubFrame;
  FuncInstance* func = callee_of(context, entry);
  const uint64_t arguments = argument_bytes(*func->type);
  Activation* activation = context->store->activation();
  activation->pc = *reinterpret_cast<void**>(above);
  activation->frame = above + 8 + arguments;
  activation->depth = PcReturns;
  if (!marshal_call(context, *func, saved, reinterpret_cast<uint64_t*>(above + 8), activation->frame)) leave(context);
  return arguments;
}

/// A function that got code after its entry was copied is jumped to, and the entry is set right: so tail calls stay flat.
/// Everything else goes to krait_jit_call_entry.
[[gnu::naked]] void entry_stub_code() {
  asm volatile(
      "1: pushq %%rax\n .cfi_adjust_cfa_offset 8\n"
      "movl %c0(%%r11), %%eax\n testl %%eax, %%eax\n js 3f\n"
      "subl %c1(%%r15), %%eax\n jb 3f\n"
      "pushq %%rcx\n .cfi_adjust_cfa_offset 8\n"
      "movq %c2(%%r15), %%rcx\n movq (%%rcx, %%rax, 8), %%rcx\n"
      "leaq 1b(%%rip), %%rax\n cmpq %%rax, %%rcx\n je 2f\n"
      "movq %%rcx, (%%r11)\n movq %%rcx, %%r11\n"
      "popq %%rcx\n .cfi_adjust_cfa_offset -8\n popq %%rax\n .cfi_adjust_cfa_offset -8\n jmp *%%r11\n"
      "2: .cfi_adjust_cfa_offset 16\n popq %%rcx\n .cfi_adjust_cfa_offset -8\n"
      "3: popq %%rax\n .cfi_adjust_cfa_offset -8\n jmp krait_jit_call_out\n" ::"i"(offsetof(FuncEntry, func)),
      "i"(offsetof(Context, imported_funcs)), "i"(offsetof(Context, code)));
}

/// Where code_of() leads: as a call through an entry, but the function is in the activation.
[[gnu::naked]] void reference_stub_code() { asm volatile("xorl %r11d, %r11d\n jmp krait_jit_call_out\n"); }

/// From machine code to krait_jit_call_entry, r11 being its entry, and back.
extern "C" [[gnu::naked, gnu::used]] void krait_jit_call_out() {
  asm volatile(
      "subq %0, %%rsp\n .cfi_adjust_cfa_offset %c0\n"
      "movq %%rdi, 0(%%rsp)\n movq %%rsi, 8(%%rsp)\n movq %%rdx, 16(%%rsp)\n"
      "movq %%rcx, 24(%%rsp)\n movq %%r8, 32(%%rsp)\n movq %%rax, 40(%%rsp)\n"
      "movups %%xmm0, 48(%%rsp)\n movups %%xmm1, 64(%%rsp)\n movups %%xmm2, 80(%%rsp)\n movups %%xmm3, 96(%%rsp)\n"
      "movups %%xmm4, 112(%%rsp)\n movups %%xmm5, 128(%%rsp)\n movups %%xmm6, 144(%%rsp)\n movups %%xmm7, 160(%%rsp)\n"
      "movq %%r9, 176(%%rsp)\n movq %%r10, 184(%%rsp)\n"
      "movq %%r15, %%rdi\n movq %%r11, %%rsi\n movq %%rsp, %%rdx\n"
      "call krait_jit_call_entry\n"
      "movq %%rax, %%r11\n"
      "movq 0(%%rsp), %%rax\n movq 8(%%rsp), %%rdx\n movups 48(%%rsp), %%xmm0\n movups 64(%%rsp), %%xmm1\n"
      "movq 176(%%rsp), %%r9\n movq 184(%%rsp), %%r10\n"
      "addq %0, %%rsp\n .cfi_adjust_cfa_offset -%c0\n"
      "movq (%%rsp), %%rcx\n addq %%r11, %%rsp\n movq %%rcx, (%%rsp)\n"
      "ret\n" ::"i"(StubFrame));
}

extern "C" void krait_jit_poll(Context* context, const void* pc, void* frame) {
  Activation* activation = context->store->activation();
  activation->pc = pc;
  activation->frame = frame;
  activation->depth = PcReturns;
  if (!context->store->poll(*context)) leave(context);
}

/// Called where the interrupt word is not zero: keeps every register, whatever the alignment of the stack.
[[gnu::naked]] void poll_stub_code() {
  asm volatile(
      "pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbp, -16\n movq %rsp, %rbp\n .cfi_def_cfa_register %rbp\n"
      "pushq %rax\n pushq %rcx\n pushq %rdx\n pushq %rsi\n pushq %rdi\n pushq %r8\n pushq %r9\n pushq %r10\n"
      "subq $256, %rsp\n andq $-16, %rsp\n"
      "movaps %xmm0, 0(%rsp)\n movaps %xmm1, 16(%rsp)\n movaps %xmm2, 32(%rsp)\n movaps %xmm3, 48(%rsp)\n"
      "movaps %xmm4, 64(%rsp)\n movaps %xmm5, 80(%rsp)\n movaps %xmm6, 96(%rsp)\n movaps %xmm7, 112(%rsp)\n"
      "movaps %xmm8, 128(%rsp)\n movaps %xmm9, 144(%rsp)\n movaps %xmm10, 160(%rsp)\n movaps %xmm11, 176(%rsp)\n"
      "movaps %xmm12, 192(%rsp)\n movaps %xmm13, 208(%rsp)\n movaps %xmm14, 224(%rsp)\n movaps %xmm15, 240(%rsp)\n"
      "movq %r15, %rdi\n movq 8(%rbp), %rsi\n leaq 16(%rbp), %rdx\n"
      "call krait_jit_poll\n"
      "movaps 0(%rsp), %xmm0\n movaps 16(%rsp), %xmm1\n movaps 32(%rsp), %xmm2\n movaps 48(%rsp), %xmm3\n"
      "movaps 64(%rsp), %xmm4\n movaps 80(%rsp), %xmm5\n movaps 96(%rsp), %xmm6\n movaps 112(%rsp), %xmm7\n"
      "movaps 128(%rsp), %xmm8\n movaps 144(%rsp), %xmm9\n movaps 160(%rsp), %xmm10\n movaps 176(%rsp), %xmm11\n"
      "movaps 192(%rsp), %xmm12\n movaps 208(%rsp), %xmm13\n movaps 224(%rsp), %xmm14\n movaps 240(%rsp), %xmm15\n"
      "leaq -64(%rbp), %rsp\n"
      "popq %r10\n popq %r9\n popq %r8\n popq %rdi\n popq %rsi\n popq %rdx\n popq %rcx\n popq %rax\n"
      "popq %rbp\n .cfi_def_cfa %rsp, 8\n ret\n");
}

extern "C" [[noreturn]] void krait_jit_trap(Context* context, const void* pc, void* frame, uint32_t kind) {
  Activation* activation = context->store->activation();
  activation->pc = pc;
  activation->frame = frame;
  activation->depth = PcFaults;
  raise(context, static_cast<TrapKind>(kind));
}

[[gnu::naked]] void landing_code() {
  asm volatile("andq $-16, %rsp\n call krait_jit_trap\n ud2\n");
}

template <typename F>
const void* address_of(F* f) { return reinterpret_cast<const void*>(f); }

}  // namespace

const void* const* builtin_table() {
  // ORDER: Builtin.
  static const void* const Table[] = {
      address_of(call_import), address_of(call_interpreter), address_of(call_ref),   address_of(resolve_indirect),
      address_of(poll_stub_code), address_of(memory_grow),   address_of(memory_copy), address_of(memory_fill),
      address_of(memory_init), address_of(data_drop),        address_of(memory_size), address_of(memory_check),
      address_of(atomic_check), address_of(atomic_wait_on<uint32_t>), address_of(atomic_wait_on<uint64_t>),
      address_of(atomic_notify), address_of(code_of), address_of(throw_tag), address_of(throw_ref),
      address_of(caught_exception), address_of(exception_payload), address_of(table_get),      address_of(table_set),
      address_of(table_size),  address_of(table_grow),       address_of(table_fill), address_of(table_copy),
      address_of(table_init),  address_of(elem_drop),        address_of(ref_func)};
  static_assert(std::size(Table) == static_cast<size_t>(Builtin::Count));
  return Table;
}

const void* entry_stub() { return address_of(entry_stub_code); }
const void* trap_landing() { return address_of(landing_code); }

}  // namespace krait::jit
