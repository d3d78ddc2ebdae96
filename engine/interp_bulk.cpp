// The 0xfc prefix: saturating conversions, bulk memory and tables.
#include "engine/bulk.hpp"
#include "engine/interp_operands.hpp"

namespace krait::engine::interp {
namespace {

/// The three i32 operands of a bulk instruction, popped.
struct Range {
  uint64_t to, from, count;
};
inline Range pop_range(Slot*& sp) {
  sp -= 3;
  return {static_cast<uint32_t>(sp[0]), static_cast<uint32_t>(sp[1]), static_cast<uint32_t>(sp[2])};
}

#define IMMEDIATES() reinterpret_cast<const uint8_t*>(tos)

KRAIT_HANDLER Next memory_init(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  const auto data = ctx->instance->data(leb_u32(next));
  Memory& memory = *ctx->memories[leb_u32(next)];
  const Range r = pop_range(sp);
  if (!bulk::memory_init(memory, r.to, data, r.from, r.count)) TRAP(TrapKind::MemoryOutOfBounds);
  pc = next;
  NEXT(0);
}

KRAIT_HANDLER Next data_drop(PARAMS) {
  pc = IMMEDIATES();
  ctx->instance->drop_data(leb_u32(pc));
  NEXT(0);
}

KRAIT_HANDLER Next memory_copy(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  Memory& to = *ctx->memories[leb_u32(next)];
  Memory& from = *ctx->memories[leb_u32(next)];
  const Range r = pop_range(sp);
  if (!bulk::memory_copy(to, r.to, from, r.from, r.count)) TRAP(TrapKind::MemoryOutOfBounds);
  pc = next;
  NEXT(0);
}

KRAIT_HANDLER Next memory_fill(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  Memory& memory = *ctx->memories[leb_u32(next)];
  const Range r = pop_range(sp);
  if (!bulk::memory_fill(memory, r.to, r.from, r.count)) TRAP(TrapKind::MemoryOutOfBounds);
  pc = next;
  NEXT(0);
}

KRAIT_HANDLER Next table_init(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  const uint32_t segment = leb_u32(next);
  TableInstance& into = *ctx->tables[leb_u32(next)];
  const Range r = pop_range(sp);
  if (!bulk::table_init(into, r.to, *ctx->instance, segment, r.from, r.count)) TRAP(TrapKind::TableOutOfBounds);
  pc = next;
  NEXT(0);
}

KRAIT_HANDLER Next elem_drop(PARAMS) {
  pc = IMMEDIATES();
  ctx->instance->drop_elements(leb_u32(pc));
  NEXT(0);
}

KRAIT_HANDLER Next table_copy(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  TableInstance& to = *ctx->tables[leb_u32(next)];
  TableInstance& from = *ctx->tables[leb_u32(next)];
  const Range r = pop_range(sp);
  if (!bulk::table_copy(to, r.to, from, r.from, r.count)) TRAP(TrapKind::TableOutOfBounds);
  pc = next;
  NEXT(0);
}

KRAIT_HANDLER Next table_grow(PARAMS) {
  pc = IMMEDIATES();
  TableInstance& which = *ctx->tables[leb_u32(pc)];
  --sp;
  sp[-1] = static_cast<uint32_t>(which.grow(static_cast<uint32_t>(sp[0]), sp[-1]));
  NEXT(0);
}

KRAIT_HANDLER Next table_size(PARAMS) {
  pc = IMMEDIATES();
  *sp++ = ctx->tables[leb_u32(pc)]->size();
  NEXT(0);
}

KRAIT_HANDLER Next table_fill(PARAMS) {
  const uint8_t* next = IMMEDIATES();
  TableInstance& which = *ctx->tables[leb_u32(next)];
  sp -= 3;
  const uint64_t at = static_cast<uint32_t>(sp[0]), count = static_cast<uint32_t>(sp[2]);
  if (!bulk::table_fill(which, at, sp[1], count)) TRAP(TrapKind::TableOutOfBounds);
  pc = next;
  NEXT(0);
}

}  // namespace

const PrefixTable<BulkCount> BulkHandlers = {
    prefixed_numeric<Opcode::I32TruncSatF32S>, prefixed_numeric<Opcode::I32TruncSatF32U>,
    prefixed_numeric<Opcode::I32TruncSatF64S>, prefixed_numeric<Opcode::I32TruncSatF64U>,
    prefixed_numeric<Opcode::I64TruncSatF32S>, prefixed_numeric<Opcode::I64TruncSatF32U>,
    prefixed_numeric<Opcode::I64TruncSatF64S>, prefixed_numeric<Opcode::I64TruncSatF64U>,
    memory_init, data_drop, memory_copy, memory_fill, table_init, elem_drop, table_copy, table_grow, table_size,
    table_fill};

}  // namespace krait::engine::interp
