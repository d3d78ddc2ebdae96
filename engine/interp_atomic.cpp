// The 0xfe prefix: atomic accesses, wait and notify. All are sequentially consistent, on shared and unshared memories.
#include "engine/atomics.hpp"
#include "engine/interp_access.hpp"

namespace krait::engine::interp {
namespace {

#define IMMEDIATES() reinterpret_cast<const uint8_t*>(tos)

/// Decodes the memarg and finds the address, whose operand is `slots` below sp, for an access of Cell.
#define LOCATE(Cell, slots)                                                                        \
  const Access access = decode_access(IMMEDIATES(), mem, ctx);                           \
  const uint64_t address = static_cast<uint32_t>(sp[-(slots)]) + access.offset;                    \
  if (address % sizeof(Cell) != 0) [[unlikely]] TRAP(TrapKind::UnalignedAtomic);                   \
  if (address + sizeof(Cell) > access.size) [[unlikely]] JUMP(prefixed_out_of_bounds);             \
  [[maybe_unused]] Cell* const cell = reinterpret_cast<Cell*>(access.base + address)

template <typename Cell>
KRAIT_HANDLER Next atomic_load(PARAMS) {
  LOCATE(Cell, 1);
  sp[-1] = __atomic_load_n(cell, __ATOMIC_SEQ_CST);
  pc = access.next;
  NEXT(0);
}

template <typename Cell>
KRAIT_HANDLER Next atomic_store(PARAMS) {
  LOCATE(Cell, 2);
  __atomic_store_n(cell, static_cast<Cell>(sp[-1]), __ATOMIC_SEQ_CST);
  sp -= 2;
  pc = access.next;
  NEXT(0);
}

/// Read-modify-write: the old value is the result, zero-extended.
#define RMW(name, builtin)                                                       \
  template <typename Cell>                                                       \
  KRAIT_HANDLER Next name(PARAMS) {                                              \
    LOCATE(Cell, 2);                                                             \
    sp[-2] = builtin(cell, static_cast<Cell>(sp[-1]), __ATOMIC_SEQ_CST);         \
    --sp;                                                                        \
    pc = access.next;                                                            \
    NEXT(0);                                                                     \
  }
RMW(rmw_add, __atomic_fetch_add)
RMW(rmw_sub, __atomic_fetch_sub)
RMW(rmw_and, __atomic_fetch_and)
RMW(rmw_or, __atomic_fetch_or)
RMW(rmw_xor, __atomic_fetch_xor)
RMW(rmw_xchg, __atomic_exchange_n)
#undef RMW

/// Value's width is compared in full: an expected value that Cell cannot hold matches nothing.
template <typename Cell, typename Value>
KRAIT_HANDLER Next rmw_cmpxchg(PARAMS) {
  LOCATE(Cell, 3);
  const Value expected = static_cast<Value>(sp[-2]);
  Cell seen = static_cast<Cell>(expected);
  if (seen == expected)
    __atomic_compare_exchange_n(cell, &seen, static_cast<Cell>(sp[-1]), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  else
    seen = __atomic_load_n(cell, __ATOMIC_SEQ_CST);
  sp[-3] = seen;
  sp -= 2;
  pc = access.next;
  NEXT(0);
}

/// The memory that the memarg at `at` names.
const Memory& memory_of(const uint8_t* at, const Context& ctx) {
  return *ctx.memories[leb_u32(at) & 0x40 ? leb_u32(at) : 0];
}

template <typename Cell>
KRAIT_HANDLER Next wait(PARAMS) {
  LOCATE(Cell, 3);
  if (!memory_of(IMMEDIATES(), *ctx).shared()) TRAP(TrapKind::ExpectedSharedMemory);
  frame->run->leave(frame, pc, sp);
  const WaitResult result = atomic_wait<Cell>(*ctx, access.base + address, static_cast<Cell>(sp[-2]), static_cast<int64_t>(sp[-1]));
  if (result == WaitResult::Interrupted) UNWIND();
  sp -= 2;
  sp[-1] = static_cast<Slot>(result);
  pc = access.next;
  NEXT(0);
}

KRAIT_HANDLER Next notify(PARAMS) {
  LOCATE(uint32_t, 2);
  --sp;
  sp[-1] = memory_of(IMMEDIATES(), *ctx).shared() ? atomic_notify(access.base + address, static_cast<uint32_t>(sp[0])) : 0;
  pc = access.next;
  NEXT(0);
}

KRAIT_HANDLER Next fence(PARAMS) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  pc = IMMEDIATES() + 1;
  NEXT(0);
}

/// i32, i64, i32.8, i32.16, i64.8, i64.16, i64.32: the order of the opcodes of each operation.
#define WIDTHS(handler) \
  handler<uint32_t>, handler<uint64_t>, handler<uint8_t>, handler<uint16_t>, handler<uint8_t>, handler<uint16_t>, handler<uint32_t>

constexpr PrefixTable<AtomicCount> make_table() {
  PrefixTable<AtomicCount> table{notify, wait<uint32_t>, wait<uint64_t>, fence};
  Handler* const regular[] = {WIDTHS(atomic_load), WIDTHS(atomic_store), WIDTHS(rmw_add),
                              WIDTHS(rmw_sub),     WIDTHS(rmw_and),      WIDTHS(rmw_or),
                              WIDTHS(rmw_xor),     WIDTHS(rmw_xchg),
                              rmw_cmpxchg<uint32_t, uint32_t>, rmw_cmpxchg<uint64_t, uint64_t>,
                              rmw_cmpxchg<uint8_t, uint32_t>,  rmw_cmpxchg<uint16_t, uint32_t>,
                              rmw_cmpxchg<uint8_t, uint64_t>,  rmw_cmpxchg<uint16_t, uint64_t>,
                              rmw_cmpxchg<uint32_t, uint64_t>};
  static_assert(std::size(regular) == AtomicCount - 0x10);
  for (size_t i = 0; i < std::size(regular); ++i) table[0x10 + i] = regular[i];
  return table;
}

}  // namespace

const PrefixTable<AtomicCount> AtomicHandlers = make_table();

}  // namespace krait::engine::interp
