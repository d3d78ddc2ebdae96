// The 0xfd prefix. What only computes comes from simd.hpp; here are memory accesses and lane immediates.
#include "engine/interp_access.hpp"

namespace krait::engine::interp {
namespace {

/// The instruction behind the prefix, as the table enters it: pc at the prefix, tos behind the opcode.
#define IMMEDIATES() reinterpret_cast<const uint8_t*>(tos)

// Constants, shuffle, lanes ------------------------------------------------------------------------------------

KRAIT_HANDLER Next v128_const(PARAMS) {
  pc = IMMEDIATES();
  put(sp, read_raw<V128>(pc));
  sp += 2;
  pc += 16;
  NEXT(0);
}

KRAIT_HANDLER Next shuffle(PARAMS) {
  pc = IMMEDIATES();
  sp -= 2;
  const auto both = std::bit_cast<std::array<uint8_t, 32>>(read_raw<std::array<V128, 2>>(sp - 2));
  simd::Lanes<uint8_t> out;
  for (size_t i = 0; i < 16; ++i) out[i] = both[pc[i] & 31];
  put(sp - 2, simd::vector<uint8_t>(out));
  pc += 16;
  NEXT(0);
}

template <typename Lane, typename Value>
KRAIT_HANDLER Next extract_lane(PARAMS) {
  pc = IMMEDIATES();
  const Lane lane = simd::lanes<Lane>(value_of<V128>(sp - 2))[*pc++ & (16 / sizeof(Lane) - 1)];
  --sp;
  put(sp - 1, static_cast<Value>(lane));
  NEXT(0);
}

template <typename Lane, typename Value>
KRAIT_HANDLER Next replace_lane(PARAMS) {
  pc = IMMEDIATES();
  --sp;
  auto vector = simd::lanes<Lane>(value_of<V128>(sp - 2));
  vector[*pc++ & (16 / sizeof(Lane) - 1)] = static_cast<Lane>(value_of<Value>(sp));
  put(sp - 2, simd::vector<Lane>(vector));
  NEXT(0);
}

// Memory -------------------------------------------------------------------------------------------------------

/// Loads a T and makes a v128 of it.
template <typename T, V128 (*Make)(T)>
KRAIT_HANDLER Next load_v128(PARAMS) {
  const Access access = decode_access(IMMEDIATES(), mem, ctx);
  const uint64_t address = static_cast<uint32_t>(sp[-1]) + access.offset;
  if (address + sizeof(T) > access.size) [[unlikely]] JUMP(prefixed_out_of_bounds);
  put(sp - 1, Make(read_raw<T>(access.base + address)));
  ++sp;
  pc = access.next;
  NEXT(0);
}

KRAIT_HANDLER Next store_v128(PARAMS) {
  const Access access = decode_access(IMMEDIATES(), mem, ctx);
  const uint64_t address = static_cast<uint32_t>(sp[-3]) + access.offset;
  if (address + 16 > access.size) [[unlikely]] JUMP(prefixed_out_of_bounds);
  write_raw(access.base + address, value_of<V128>(sp - 2));
  sp -= 3;
  pc = access.next;
  NEXT(0);
}

template <typename Lane, bool Store>
KRAIT_HANDLER Next access_lane(PARAMS) {
  const Access access = decode_access(IMMEDIATES(), mem, ctx);
  const uint64_t address = static_cast<uint32_t>(sp[-3]) + access.offset;
  if (address + sizeof(Lane) > access.size) [[unlikely]] JUMP(prefixed_out_of_bounds);
  auto vector = simd::lanes<Lane>(value_of<V128>(sp - 2));
  const uint8_t lane = *access.next & (16 / sizeof(Lane) - 1);
  sp -= 3;
  if constexpr (Store) {
    write_raw(access.base + address, vector[lane]);
  } else {
    vector[lane] = read_raw<Lane>(access.base + address);
    put(sp, simd::vector<Lane>(vector));
    sp += 2;
  }
  pc = access.next + 1;
  NEXT(0);
}

V128 whole(V128 v) { return v; }
template <typename To, typename From>
V128 widened(uint64_t v) { return simd::extend<To, From, false>({v, 0}); }
template <typename T>
V128 in_lane_0(T v) { return {v, 0}; }

// The table ----------------------------------------------------------------------------------------------------

/// The handler of a v128 instruction; without a specialisation, one that only computes.
template <Opcode O, uint8_t Prefix>
constexpr Handler* HandlerOf = prefixed_numeric<O>;
#define SPECIAL(name, ...) template <> constexpr Handler* HandlerOf<Opcode::name, 0xfd> = __VA_ARGS__;
SPECIAL(V128Const, v128_const)
SPECIAL(I8x16Shuffle, shuffle)
SPECIAL(I8x16ExtractLaneS, extract_lane<int8_t, uint32_t>)
SPECIAL(I8x16ExtractLaneU, extract_lane<uint8_t, uint32_t>)
SPECIAL(I8x16ReplaceLane, replace_lane<uint8_t, uint32_t>)
SPECIAL(I16x8ExtractLaneS, extract_lane<int16_t, uint32_t>)
SPECIAL(I16x8ExtractLaneU, extract_lane<uint16_t, uint32_t>)
SPECIAL(I16x8ReplaceLane, replace_lane<uint16_t, uint32_t>)
SPECIAL(I32x4ExtractLane, extract_lane<uint32_t, uint32_t>)
SPECIAL(I32x4ReplaceLane, replace_lane<uint32_t, uint32_t>)
SPECIAL(I64x2ExtractLane, extract_lane<uint64_t, uint64_t>)
SPECIAL(I64x2ReplaceLane, replace_lane<uint64_t, uint64_t>)
SPECIAL(F32x4ExtractLane, extract_lane<uint32_t, uint32_t>)  // as bits: a float might be quieted on its way
SPECIAL(F32x4ReplaceLane, replace_lane<uint32_t, uint32_t>)
SPECIAL(F64x2ExtractLane, extract_lane<uint64_t, uint64_t>)
SPECIAL(F64x2ReplaceLane, replace_lane<uint64_t, uint64_t>)
SPECIAL(V128Load, load_v128<V128, whole>)
SPECIAL(V128Store, store_v128)
SPECIAL(V128Load8x8S, load_v128<uint64_t, widened<int16_t, int8_t>>)
SPECIAL(V128Load8x8U, load_v128<uint64_t, widened<uint16_t, uint8_t>>)
SPECIAL(V128Load16x4S, load_v128<uint64_t, widened<int32_t, int16_t>>)
SPECIAL(V128Load16x4U, load_v128<uint64_t, widened<uint32_t, uint16_t>>)
SPECIAL(V128Load32x2S, load_v128<uint64_t, widened<int64_t, int32_t>>)
SPECIAL(V128Load32x2U, load_v128<uint64_t, widened<uint64_t, uint32_t>>)
SPECIAL(V128Load8Splat, load_v128<uint8_t, simd::splat<uint8_t>>)
SPECIAL(V128Load16Splat, load_v128<uint16_t, simd::splat<uint16_t>>)
SPECIAL(V128Load32Splat, load_v128<uint32_t, simd::splat<uint32_t>>)
SPECIAL(V128Load64Splat, load_v128<uint64_t, simd::splat<uint64_t>>)
SPECIAL(V128Load32Zero, load_v128<uint32_t, in_lane_0<uint32_t>>)
SPECIAL(V128Load64Zero, load_v128<uint64_t, in_lane_0<uint64_t>>)
SPECIAL(V128Load8Lane, access_lane<uint8_t, false>)
SPECIAL(V128Load16Lane, access_lane<uint16_t, false>)
SPECIAL(V128Load32Lane, access_lane<uint32_t, false>)
SPECIAL(V128Load64Lane, access_lane<uint64_t, false>)
SPECIAL(V128Store8Lane, access_lane<uint8_t, true>)
SPECIAL(V128Store16Lane, access_lane<uint16_t, true>)
SPECIAL(V128Store32Lane, access_lane<uint32_t, true>)
SPECIAL(V128Store64Lane, access_lane<uint64_t, true>)
#undef SPECIAL

template <uint8_t Prefix, uint32_t Count>
constexpr std::array<Handler*, Count> make_table() {
  std::array<Handler*, Count> table{};
#define OP(name, text, prefix, code, immediates, signature) \
  if constexpr (prefix == Prefix) table[code] = HandlerOf<Opcode::name, Prefix>;
#include "engine/opcodes.def"
#undef OP
  return table;
}

}  // namespace

const PrefixTable<SimdCount> SimdHandlers = make_table<0xfd, SimdCount>();

}  // namespace krait::engine::interp
