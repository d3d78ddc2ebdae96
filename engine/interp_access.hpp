// Memory operands: decoding a memarg, and what is done about an address beyond the memory.
#pragma once

#include "engine/interp_operands.hpp"

namespace krait::engine::interp {

/// A memarg, and the memory that it names.
struct Access {
  const uint8_t* next;  ///< behind the memarg
  std::byte* base;
  uint64_t size;
  uint64_t offset;
};

inline Access decode_access(const uint8_t* at, std::byte* mem, Context* ctx) {
  Access access{at, mem, ctx->memory0_size, 0};
  const uint32_t flags = leb_u32(access.next);
  if (flags & 0x40) [[unlikely]] {
    const Memory& memory = *ctx->memories[leb_u32(access.next)];
    access.base = memory.base();
    access.size = memory.size();
  }
  access.offset = leb_u32(access.next);
  return access;
}

/// An access beyond memory 0, or another: traps, but for a shared memory that grew meanwhile. The
/// instruction's operands are as they were, so it can run again.
template <unsigned State>
KRAIT_SLOW Next out_of_bounds(PARAMS) {
  if (ctx->memories && ctx->memories[0]->size() > ctx->memory0_size) {
    ctx->memory0_size = ctx->memories[0]->size();
    NEXT(State);
  }
  TRAP(TrapKind::MemoryOutOfBounds);
}
/// The same for prefixed instructions, which leave pc at the prefix until they are done.
inline KRAIT_HANDLER Next prefixed_out_of_bounds(PARAMS) { JUMP(out_of_bounds<0>); }

}  // namespace krait::engine::interp
