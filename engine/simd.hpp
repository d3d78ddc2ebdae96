// What each v128 instruction without memory or lane immediates computes, lane by lane; numeric.hpp's counterpart.
//
// Lane loops over arrays: the compiler vectorises them. The relaxed instructions make these choices, the same in
// interpreter and machine code: madd and nmadd round twice; swizzle, trunc, min, max and q15mulr are the strict
// ones; laneselect is bitselect; dot products are signed times signed, with 16-bit sums that wrap.
#pragma once

#include <algorithm>
#include <array>

#include "engine/host.hpp"
#include "engine/numeric.hpp"

namespace krait::engine {
namespace simd {

template <typename T>
using Lanes = std::array<T, 16 / sizeof(T)>;
template <typename T>
Lanes<T> lanes(V128 v) { return std::bit_cast<Lanes<T>>(v); }
template <typename T>
V128 vector(Lanes<T> v) { return std::bit_cast<V128>(v); }

template <typename T, typename F>
V128 map(V128 a, F f) {
  Lanes<T> x = lanes<T>(a);
  for (T& lane : x) lane = static_cast<T>(f(lane));
  return vector<T>(x);
}
template <typename T, typename F>
V128 map(V128 a, V128 b, F f) {
  Lanes<T> x = lanes<T>(a);
  const Lanes<T> y = lanes<T>(b);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(f(x[i], y[i]));
  return vector<T>(x);
}
template <typename T>
V128 product(V128 a, V128 b) {
  return map<T>(a, b, [](T x, T y) { return x * y; });
}
/// All ones where f holds.
template <typename T, typename F>
V128 compare(V128 a, V128 b, F f) {
  using Mask = std::conditional_t<sizeof(T) == 1, uint8_t,
                                  std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;
  const Lanes<T> x = lanes<T>(a), y = lanes<T>(b);
  Lanes<Mask> mask;
  for (size_t i = 0; i < x.size(); ++i) mask[i] = f(x[i], y[i]) ? static_cast<Mask>(-1) : Mask{0};
  return vector<Mask>(mask);
}
template <typename T>
V128 splat(T value) {
  Lanes<T> x;
  x.fill(value);
  return vector<T>(x);
}
template <typename T>
uint32_t all_true(V128 a) {
  const Lanes<T> x = lanes<T>(a);
  return std::all_of(x.begin(), x.end(), [](T lane) { return lane != 0; });
}
template <typename T>
uint32_t bitmask(V128 a) {
  const Lanes<T> x = lanes<T>(a);
  uint32_t mask = 0;
  for (size_t i = 0; i < x.size(); ++i) mask |= static_cast<uint32_t>(x[i] < 0) << i;
  return mask;
}
template <typename T>
T saturate(int32_t v) {
  return static_cast<T>(std::clamp<int32_t>(v, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}
template <typename To, typename From>
V128 narrow(V128 a, V128 b) {
  const Lanes<From> x = lanes<From>(a), y = lanes<From>(b);
  Lanes<To> out;
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = saturate<To>(x[i]);
    out[i + x.size()] = saturate<To>(y[i]);
  }
  return vector<To>(out);
}
/// Half of a vector, each lane widened.
template <typename To, typename From, bool High>
Lanes<To> widen(V128 a) {
  const Lanes<From> x = lanes<From>(a);
  Lanes<To> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<To>(x[i + (High ? out.size() : 0)]);
  return out;
}
template <typename To, typename From, bool High>
V128 extend(V128 a) { return vector<To>(widen<To, From, High>(a)); }
template <typename To, typename From, bool High>
V128 extmul(V128 a, V128 b) {
  using U = std::make_unsigned_t<To>;  // products fit; of unsigned 16-bit lanes only without a sign
  return map<U>(extend<To, From, High>(a), extend<To, From, High>(b),
                [](U x, U y) { return static_cast<U>(uint64_t{x} * y); });
}
template <typename To, typename From>
V128 extadd_pairwise(V128 a) {
  const Lanes<From> x = lanes<From>(a);
  Lanes<To> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<To>(static_cast<To>(x[2 * i]) + static_cast<To>(x[2 * i + 1]));
  return vector<To>(out);
}
/// Sums of adjacent products.
template <typename To, typename From>
V128 dot(V128 a, V128 b) {
  const Lanes<From> x = lanes<From>(a), y = lanes<From>(b);
  Lanes<To> out;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<To>(static_cast<uint32_t>(x[2 * i] * y[2 * i]) + static_cast<uint32_t>(x[2 * i + 1] * y[2 * i + 1]));
  return vector<To>(out);
}
/// Lane by lane from one type to another; lanes of `To` beyond those of `From` become zero.
template <typename To, typename From, typename F>
V128 convert(V128 a, F f) {
  const Lanes<From> x = lanes<From>(a);
  Lanes<To> out{};
  for (size_t i = 0; i < std::min(x.size(), out.size()); ++i) out[i] = f(x[i]);
  return vector<To>(out);
}
inline V128 swizzle(V128 a, V128 b) {
  const auto x = lanes<uint8_t>(a);
  return map<uint8_t>(b, [&x](uint8_t i) { return i < 16 ? x[i] : uint8_t{0}; });
}
inline V128 bitselect(V128 a, V128 b, V128 mask) {
  return {(a.low & mask.low) | (b.low & ~mask.low), (a.high & mask.high) | (b.high & ~mask.high)};
}
inline int16_t q15mulr(int16_t a, int16_t b) { return saturate<int16_t>((a * b + 0x4000) >> 15); }

}  // namespace simd

#define KRAIT_V(name, R, params, expression) \
  template <>                                \
  struct Semantics<Opcode::name> {           \
    static R apply params { return expression; } \
  };
#define KRAIT_V1(name, expression) KRAIT_V(name, V128, (V128 a), expression)
#define KRAIT_V2(name, expression) KRAIT_V(name, V128, (V128 a, V128 b), expression)
#define KRAIT_V3(name, expression) KRAIT_V(name, V128, (V128 a, V128 b, V128 c), expression)
#define KRAIT_LANES1(name, T, expression) KRAIT_V1(name, simd::map<T>(a, [](T x) { return expression; }))
#define KRAIT_LANES2(name, T, expression) KRAIT_V2(name, simd::map<T>(a, b, [](T x, T y) { return expression; }))
#define KRAIT_COMPARE(name, T, expression) KRAIT_V2(name, simd::compare<T>(a, b, [](T x, T y) { return expression; }))
#define KRAIT_SHIFT(name, T, op) \
  KRAIT_V(name, V128, (V128 a, uint32_t n), simd::map<T>(a, [n](T x) { return numeric::op<T>(x, static_cast<T>(n & (sizeof(T) * 8 - 1))); }))

// Integer shapes ----------------------------------------------------------------------------------------------

#define KRAIT_ALL_SHAPES(N, S, U)                                       \
  KRAIT_LANES1(N##Abs, U, static_cast<S>(x) < 0 ? U{0} - x : x)         \
  KRAIT_LANES1(N##Neg, U, U{0} - x)                                     \
  KRAIT_V(N##AllTrue, uint32_t, (V128 a), simd::all_true<U>(a))         \
  KRAIT_V(N##Bitmask, uint32_t, (V128 a), simd::bitmask<S>(a))          \
  KRAIT_SHIFT(N##Shl, U, shl)                                           \
  KRAIT_SHIFT(N##ShrS, U, shr_s)                                        \
  KRAIT_SHIFT(N##ShrU, U, shr_u)                                        \
  KRAIT_LANES2(N##Add, U, x + y)                                        \
  KRAIT_LANES2(N##Sub, U, x - y)                                        \
  KRAIT_COMPARE(N##Eq, U, x == y)                                       \
  KRAIT_COMPARE(N##Ne, U, x != y)                                       \
  KRAIT_COMPARE(N##LtS, S, x < y)                                       \
  KRAIT_COMPARE(N##GtS, S, x > y)                                       \
  KRAIT_COMPARE(N##LeS, S, x <= y)                                      \
  KRAIT_COMPARE(N##GeS, S, x >= y)
KRAIT_ALL_SHAPES(I8x16, int8_t, uint8_t)
KRAIT_ALL_SHAPES(I16x8, int16_t, uint16_t)
KRAIT_ALL_SHAPES(I32x4, int32_t, uint32_t)
KRAIT_ALL_SHAPES(I64x2, int64_t, uint64_t)

#define KRAIT_SMALL_SHAPES(N, S, U)               \
  KRAIT_COMPARE(N##LtU, U, x < y)                 \
  KRAIT_COMPARE(N##GtU, U, x > y)                 \
  KRAIT_COMPARE(N##LeU, U, x <= y)                \
  KRAIT_COMPARE(N##GeU, U, x >= y)                \
  KRAIT_LANES2(N##MinS, S, x < y ? x : y)         \
  KRAIT_LANES2(N##MinU, U, x < y ? x : y)         \
  KRAIT_LANES2(N##MaxS, S, x > y ? x : y)         \
  KRAIT_LANES2(N##MaxU, U, x > y ? x : y)
KRAIT_SMALL_SHAPES(I8x16, int8_t, uint8_t)
KRAIT_SMALL_SHAPES(I16x8, int16_t, uint16_t)
KRAIT_SMALL_SHAPES(I32x4, int32_t, uint32_t)

#define KRAIT_SATURATING_SHAPES(N, S, U)                         \
  KRAIT_LANES2(N##AddSatS, S, simd::saturate<S>(x + y))          \
  KRAIT_LANES2(N##AddSatU, U, simd::saturate<U>(x + y))          \
  KRAIT_LANES2(N##SubSatS, S, simd::saturate<S>(x - y))          \
  KRAIT_LANES2(N##SubSatU, U, simd::saturate<U>(x - y))          \
  KRAIT_LANES2(N##AvgrU, U, (x + y + 1) >> 1)
KRAIT_SATURATING_SHAPES(I8x16, int8_t, uint8_t)
KRAIT_SATURATING_SHAPES(I16x8, int16_t, uint16_t)

KRAIT_LANES1(I8x16Popcnt, uint8_t, std::popcount(x))
KRAIT_LANES2(I16x8Mul, uint16_t, uint32_t{x} * y)
KRAIT_LANES2(I32x4Mul, uint32_t, x * y)
KRAIT_LANES2(I64x2Mul, uint64_t, x * y)
KRAIT_LANES2(I16x8Q15mulrSatS, int16_t, simd::q15mulr(x, y))
KRAIT_V2(I32x4DotI16x8S, (simd::dot<int32_t, int16_t>(a, b)))
KRAIT_V2(I8x16NarrowI16x8S, (simd::narrow<int8_t, int16_t>(a, b)))
KRAIT_V2(I8x16NarrowI16x8U, (simd::narrow<uint8_t, int16_t>(a, b)))
KRAIT_V2(I16x8NarrowI32x4S, (simd::narrow<int16_t, int32_t>(a, b)))
KRAIT_V2(I16x8NarrowI32x4U, (simd::narrow<uint16_t, int32_t>(a, b)))

#define KRAIT_WIDENING(N, M, SN, UN, SM, UM)                          \
  KRAIT_V1(N##ExtendLow##M##S, (simd::extend<SN, SM, false>(a)))      \
  KRAIT_V1(N##ExtendHigh##M##S, (simd::extend<SN, SM, true>(a)))      \
  KRAIT_V1(N##ExtendLow##M##U, (simd::extend<UN, UM, false>(a)))      \
  KRAIT_V1(N##ExtendHigh##M##U, (simd::extend<UN, UM, true>(a)))      \
  KRAIT_V2(N##ExtmulLow##M##S, (simd::extmul<SN, SM, false>(a, b)))   \
  KRAIT_V2(N##ExtmulHigh##M##S, (simd::extmul<SN, SM, true>(a, b)))   \
  KRAIT_V2(N##ExtmulLow##M##U, (simd::extmul<UN, UM, false>(a, b)))   \
  KRAIT_V2(N##ExtmulHigh##M##U, (simd::extmul<UN, UM, true>(a, b)))
KRAIT_WIDENING(I16x8, I8x16, int16_t, uint16_t, int8_t, uint8_t)
KRAIT_WIDENING(I32x4, I16x8, int32_t, uint32_t, int16_t, uint16_t)
KRAIT_WIDENING(I64x2, I32x4, int64_t, uint64_t, int32_t, uint32_t)
KRAIT_V1(I16x8ExtaddPairwiseI8x16S, (simd::extadd_pairwise<int16_t, int8_t>(a)))
KRAIT_V1(I16x8ExtaddPairwiseI8x16U, (simd::extadd_pairwise<uint16_t, uint8_t>(a)))
KRAIT_V1(I32x4ExtaddPairwiseI16x8S, (simd::extadd_pairwise<int32_t, int16_t>(a)))
KRAIT_V1(I32x4ExtaddPairwiseI16x8U, (simd::extadd_pairwise<uint32_t, uint16_t>(a)))

// Float shapes ------------------------------------------------------------------------------------------------

#define KRAIT_FLOAT_SHAPES(N, F)                        \
  KRAIT_COMPARE(N##Eq, F, x == y)                       \
  KRAIT_COMPARE(N##Ne, F, x != y)                       \
  KRAIT_COMPARE(N##Lt, F, x < y)                        \
  KRAIT_COMPARE(N##Gt, F, x > y)                        \
  KRAIT_COMPARE(N##Le, F, x <= y)                       \
  KRAIT_COMPARE(N##Ge, F, x >= y)                       \
  KRAIT_LANES1(N##Abs, F, numeric::abs(x))              \
  KRAIT_LANES1(N##Neg, F, numeric::neg(x))              \
  KRAIT_LANES1(N##Sqrt, F, std::sqrt(x))                \
  KRAIT_LANES1(N##Ceil, F, numeric::ceil(x))            \
  KRAIT_LANES1(N##Floor, F, numeric::floor(x))          \
  KRAIT_LANES1(N##Trunc, F, numeric::trunc(x))          \
  KRAIT_LANES1(N##Nearest, F, numeric::nearest(x))      \
  KRAIT_LANES2(N##Add, F, x + y)                        \
  KRAIT_LANES2(N##Sub, F, x - y)                        \
  KRAIT_LANES2(N##Mul, F, x * y)                        \
  KRAIT_LANES2(N##Div, F, x / y)                        \
  KRAIT_LANES2(N##Min, F, numeric::min(x, y))           \
  KRAIT_LANES2(N##Max, F, numeric::max(x, y))           \
  KRAIT_LANES2(N##Pmin, F, y < x ? y : x)               \
  KRAIT_LANES2(N##Pmax, F, x < y ? y : x)               \
  KRAIT_LANES2(N##RelaxedMin, F, numeric::min(x, y))    \
  KRAIT_LANES2(N##RelaxedMax, F, numeric::max(x, y))    \
  KRAIT_V3(N##RelaxedMadd, simd::map<F>(simd::product<F>(a, b), c, [](F x, F y) { return x + y; })) \
  KRAIT_V3(N##RelaxedNmadd, simd::map<F>(simd::product<F>(a, b), c, [](F x, F y) { return y - x; }))
KRAIT_FLOAT_SHAPES(F32x4, float)
KRAIT_FLOAT_SHAPES(F64x2, double)

#define KRAIT_CONVERT(name, To, From, expression) \
  KRAIT_V1(name, (simd::convert<To, From>(a, [](From x) { return static_cast<To>(expression); })))
#define KRAIT_TRUNC(name, To, From) KRAIT_CONVERT(name, std::make_unsigned_t<To>, From, numeric::trunc_sat<To>(x))
KRAIT_TRUNC(I32x4TruncSatF32x4S, int32_t, float)
KRAIT_TRUNC(I32x4TruncSatF32x4U, uint32_t, float)
KRAIT_TRUNC(I32x4TruncSatF64x2SZero, int32_t, double)
KRAIT_TRUNC(I32x4TruncSatF64x2UZero, uint32_t, double)
KRAIT_TRUNC(I32x4RelaxedTruncF32x4S, int32_t, float)
KRAIT_TRUNC(I32x4RelaxedTruncF32x4U, uint32_t, float)
KRAIT_TRUNC(I32x4RelaxedTruncF64x2SZero, int32_t, double)
KRAIT_TRUNC(I32x4RelaxedTruncF64x2UZero, uint32_t, double)
KRAIT_CONVERT(F32x4ConvertI32x4S, float, int32_t, x)
KRAIT_CONVERT(F32x4ConvertI32x4U, float, uint32_t, x)
KRAIT_CONVERT(F64x2ConvertLowI32x4S, double, int32_t, x)
KRAIT_CONVERT(F64x2ConvertLowI32x4U, double, uint32_t, x)
KRAIT_CONVERT(F32x4DemoteF64x2Zero, float, double, x)
KRAIT_CONVERT(F64x2PromoteLowF32x4, double, float, x)

// Bits, splats, and what is left of relaxed SIMD ------------------------------------------------------------------

KRAIT_V1(V128Not, (V128{~a.low, ~a.high}))
KRAIT_V2(V128And, (V128{a.low & b.low, a.high & b.high}))
KRAIT_V2(V128Andnot, (V128{a.low & ~b.low, a.high & ~b.high}))
KRAIT_V2(V128Or, (V128{a.low | b.low, a.high | b.high}))
KRAIT_V2(V128Xor, (V128{a.low ^ b.low, a.high ^ b.high}))
KRAIT_V3(V128Bitselect, simd::bitselect(a, b, c))
KRAIT_V(V128AnyTrue, uint32_t, (V128 a), (a.low | a.high) != 0)
KRAIT_V2(I8x16Swizzle, simd::swizzle(a, b))
KRAIT_V(I8x16Splat, V128, (uint32_t a), simd::splat(static_cast<uint8_t>(a)))
KRAIT_V(I16x8Splat, V128, (uint32_t a), simd::splat(static_cast<uint16_t>(a)))
KRAIT_V(I32x4Splat, V128, (uint32_t a), simd::splat(a))
KRAIT_V(I64x2Splat, V128, (uint64_t a), simd::splat(a))
KRAIT_V(F32x4Splat, V128, (float a), simd::splat(a))
KRAIT_V(F64x2Splat, V128, (double a), simd::splat(a))
KRAIT_V2(I8x16RelaxedSwizzle, simd::swizzle(a, b))
KRAIT_V3(I8x16RelaxedLaneselect, simd::bitselect(a, b, c))
KRAIT_V3(I16x8RelaxedLaneselect, simd::bitselect(a, b, c))
KRAIT_V3(I32x4RelaxedLaneselect, simd::bitselect(a, b, c))
KRAIT_V3(I64x2RelaxedLaneselect, simd::bitselect(a, b, c))
KRAIT_LANES2(I16x8RelaxedQ15mulrS, int16_t, simd::q15mulr(x, y))
KRAIT_V2(I16x8RelaxedDotI8x16I7x16S, (simd::dot<int16_t, int8_t>(a, b)))
KRAIT_V3(I32x4RelaxedDotI8x16I7x16AddS,
         Semantics<Opcode::I32x4Add>::apply(simd::extadd_pairwise<int32_t, int16_t>(simd::dot<int16_t, int8_t>(a, b)), c))

}  // namespace krait::engine
