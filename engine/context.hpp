// The ABI between an instance and the code that runs it: what the interpreter and the JIT read by offset.
//
// Invariants.
//  1. A Context lives as long as its Instance, at a fixed address, and is touched only by the thread that
//     runs its store; `interrupt` and `entry_limit` alone may be set from any thread.
//  2. memory0_base and memory0_size follow every growth of memory 0 before the guest runs again.
//  3. `code` of a FuncEntry or FuncInstance is never null: where there is no machine code it is the
//     compiler's stub that enters the interpreter (or InterpreterOnly where no compiler is set).
//  4. A table's entries are relative to its home, the instance that defines it: `func` is a function
//     index of the home's module, or ForeignFlag | index into the table's list of foreign functions; `type`
//     is a canonical type index of the home's module, NullType for null, ForeignType for a type that the home's
//     module does not have. So a table image holds no pointer to an instance and is shared by all of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/types.hpp"

namespace krait::engine {

class Instance;
class Memory;
class Module;
class Store;
class TableInstance;
struct Context;
struct HostFunction;

/// A global's storage. v128 uses both halves.
struct alignas(16) GlobalCell {
  uint64_t low = 0, high = 0;
};

struct GlobalInstance {
  GlobalCell cell;
  GlobalType type;
};
/// The first globals that a module defines lie in its Context: __stack_pointer, which compiled C touches in every
/// third function, is one load away.
constexpr uint32_t InlineGlobals = 8;

/// A function of an instance or of the host: what a funcref points to. Unique for its function, so
/// references compare as pointers.
struct FuncInstance {
  const void* code;         ///< entry in the compiler's convention (invariant 3)
  Context* context;         ///< the instance it runs in; null for a host function
  const FuncType* type;
  const HostFunction* host; ///< null for a wasm function
  uint32_t index;           ///< in the instance's function index space
  uint32_t canonical_type;  ///< in the instance's module
};

/// A table element for calls. A null element has type NullType, which no call_indirect expects.
struct FuncEntry {
  const void* code;
  uint32_t type;
  uint32_t func;
};
constexpr uint32_t NullType = 0xffffffff;
constexpr uint32_t ForeignType = 0xfffffffe;
constexpr uint32_t ForeignFlag = 0x80000000;

/// Why a running store should stop at its next poll; bits of Context::interrupt.
enum InterruptBit : uint32_t {
  InterruptYield = 1,  ///< call Store::on_yield and go on
  InterruptStop = 2,   ///< trap with TrapKind::Interrupted
  InterruptCall = 4,   ///< call Store::on_interrupt, which may trap
};

/// Above every stack.
inline const std::byte* const EntryPolls = reinterpret_cast<const std::byte*>(UINTPTR_MAX);

/// An instance as running code sees it. The JIT bakes these offsets in: see the asserts below.
struct Context {
  std::byte* memory0_base = nullptr;   ///< null where the module has no memory
  uint64_t memory0_size = 0;           ///< bytes
  const FuncEntry* table0 = nullptr;   ///< elements of table 0, if it is a funcref table of this instance's own
  uint64_t table0_size = 0;            ///< elements
  std::atomic<uint32_t> interrupt{0};  ///< InterruptBits; polled at loop heads and function entries
  uint32_t imported_funcs = 0;              ///< Module::imported_funcs
  std::atomic<const std::byte*> entry_limit{nullptr};  ///< stack_limit; EntryPolls where interrupt may be set: one compare for both
  GlobalCell** globals = nullptr;           ///< by global index; imported ones point into other instances
  FuncInstance* const* imports = nullptr;   ///< by imported function index
  const void* const* code = nullptr;        ///< CodeImage::code(); null where no compiler is set; read by load_code()
  const void* const* builtins = nullptr;    ///< the compiler's helper functions
  Memory** memories = nullptr;              ///< by memory index
  TableInstance** tables = nullptr;         ///< by table index
  Instance* instance = nullptr;
  Store* store = nullptr;
  std::atomic<int32_t>* heat = nullptr;     ///< CodeImage::heat(); null where nobody counts
  const std::byte* stack_limit = nullptr;   ///< native stack: a function that would go below it traps

  /// After each change of stack_limit and each time that bits of `interrupt` were taken; a bit set meanwhile is not lost, as whoever
  /// sets it sets entry_limit afterwards.
  void update_entry_limit() {
    entry_limit.store(stack_limit);
    if (interrupt.load() != 0) entry_limit.store(EntryPolls);
  }
  GlobalInstance inline_globals[InlineGlobals];
};

/// The code of a defined function; another thread may be storing it.
inline const void* load_code(const Context& context, uint32_t defined) {
  return __atomic_load_n(&context.code[defined], __ATOMIC_ACQUIRE);
}

static_assert(offsetof(Context, memory0_base) == 0 && offsetof(Context, table0) == 16);
static_assert(offsetof(Context, interrupt) == 32 && offsetof(Context, entry_limit) == 40);
static_assert(sizeof(FuncEntry) == 16 && offsetof(FuncEntry, type) == 8);

}  // namespace krait::engine
