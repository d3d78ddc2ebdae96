// What each numeric instruction computes: the one definition behind the interpreter, constant folding and tests.
//
// Semantics<Opcode::X>::apply has the instruction's operand and result types (i32 as uint32_t, i64 as uint64_t).
// An instruction that can trap returns a Fallible. The FPU is in its default rounding mode; x87 is never used,
// so a float operation rounds once and quiets a signalling NaN, as the spec asks of arithmetic NaNs.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "engine/opcodes.hpp"
#include "engine/trap.hpp"

namespace krait::engine {

/// A value, or the trap that there is instead of it.
template <typename T>
struct Fallible {
  T value{};
  bool ok = true;
  TrapKind trap = TrapKind::Unreachable;
  constexpr Fallible(T v) : value(v) {}                        // NOLINT(implicit)
  constexpr Fallible(TrapKind kind) : ok(false), trap(kind) {}  // NOLINT(implicit)
};

template <Opcode>
struct Semantics;

namespace numeric {

template <typename T>
using Signed = std::make_signed_t<T>;
template <typename T>
constexpr Signed<T> s(T v) {
  return static_cast<Signed<T>>(v);
}
template <typename F>
using BitsOf = std::conditional_t<sizeof(F) == 4, uint32_t, uint64_t>;

template <typename T>
constexpr Fallible<T> div_s(T a, T b) {
  if (b == 0) return TrapKind::DivideByZero;
  if (a == T{1} << (sizeof(T) * 8 - 1) && b == static_cast<T>(-1)) return TrapKind::IntegerOverflow;
  return static_cast<T>(s(a) / s(b));
}
template <typename T>
constexpr Fallible<T> div_u(T a, T b) {
  if (b == 0) return TrapKind::DivideByZero;
  return static_cast<T>(a / b);
}
template <typename T>
constexpr Fallible<T> rem_s(T a, T b) {
  if (b == 0) return TrapKind::DivideByZero;
  if (b == static_cast<T>(-1)) return T{0};  // the hardware's division would fault on the smallest number
  return static_cast<T>(s(a) % s(b));
}
template <typename T>
constexpr Fallible<T> rem_u(T a, T b) {
  if (b == 0) return TrapKind::DivideByZero;
  return static_cast<T>(a % b);
}
template <typename T>
constexpr T shl(T a, T b) {
  return static_cast<T>(a << (b & (sizeof(T) * 8 - 1)));
}
template <typename T>
constexpr T shr_s(T a, T b) {
  return static_cast<T>(s(a) >> (b & (sizeof(T) * 8 - 1)));
}
template <typename T>
constexpr T shr_u(T a, T b) {
  return static_cast<T>(a >> (b & (sizeof(T) * 8 - 1)));
}
template <typename T>
constexpr T rotl(T a, T b) {
  return std::rotl(a, static_cast<int>(b & (sizeof(T) * 8 - 1)));
}
template <typename T>
constexpr T rotr(T a, T b) {
  return std::rotr(a, static_cast<int>(b & (sizeof(T) * 8 - 1)));
}

template <typename F>
constexpr F abs(F v) {
  constexpr auto Sign = BitsOf<F>{1} << (sizeof(F) * 8 - 1);
  return std::bit_cast<F>(std::bit_cast<BitsOf<F>>(v) & ~Sign);
}
template <typename F>
constexpr F neg(F v) {
  constexpr auto Sign = BitsOf<F>{1} << (sizeof(F) * 8 - 1);
  return std::bit_cast<F>(std::bit_cast<BitsOf<F>>(v) ^ Sign);
}
template <typename F>
constexpr F copysign(F v, F sign) {
  constexpr auto Sign = BitsOf<F>{1} << (sizeof(F) * 8 - 1);
  return std::bit_cast<F>((std::bit_cast<BitsOf<F>>(v) & ~Sign) | (std::bit_cast<BitsOf<F>>(sign) & Sign));
}
template <typename F>
inline F min(F a, F b) {
  if (a != a || b != b) return a + b;  // an arithmetic NaN
  if (a == b) return std::bit_cast<F>(std::bit_cast<BitsOf<F>>(a) | std::bit_cast<BitsOf<F>>(b));  // -0 < +0
  return a < b ? a : b;
}
template <typename F>
inline F max(F a, F b) {
  if (a != a || b != b) return a + b;
  if (a == b) return std::bit_cast<F>(std::bit_cast<BitsOf<F>>(a) & std::bit_cast<BitsOf<F>>(b));
  return a > b ? a : b;
}
/// Rounds by `round`; a NaN becomes quiet whatever the library does with it.
template <typename F, typename R>
inline F rounded(F v, R round) {
  return v != v ? v + v : round(v);
}
template <typename F>
inline F ceil(F v) { return rounded(v, [](F x) { return std::ceil(x); }); }
template <typename F>
inline F floor(F v) { return rounded(v, [](F x) { return std::floor(x); }); }
template <typename F>
inline F trunc(F v) { return rounded(v, [](F x) { return std::trunc(x); }); }
template <typename F>
inline F nearest(F v) { return rounded(v, [](F x) { return std::nearbyint(x); }); }

/// Whether trunc(v) fits I; v is not a NaN. 2^bits and -2^bits are exact in every float type; the largest
/// float that is out of reach below is one less, where F has the bits to say so.
template <typename I, typename F>
constexpr bool truncates(F v) {
  constexpr F Half = static_cast<F>(uint64_t{1} << (sizeof(I) * 8 - 1));
  if constexpr (std::is_unsigned_v<I>) {
    return v > F{-1} && v < Half * 2;
  } else if constexpr (-Half - 1 == -Half) {
    return v >= -Half && v < Half;
  } else {
    return v > -Half - 1 && v < Half;
  }
}
template <typename I, typename F>
constexpr Fallible<std::make_unsigned_t<I>> trunc_to(F v) {
  if (v != v) return TrapKind::InvalidConversion;
  if (!truncates<I>(v)) return TrapKind::IntegerOverflow;
  return static_cast<std::make_unsigned_t<I>>(static_cast<I>(v));
}
template <typename I, typename F>
constexpr std::make_unsigned_t<I> trunc_sat(F v) {
  if (v != v) return 0;
  if (truncates<I>(v)) return static_cast<std::make_unsigned_t<I>>(static_cast<I>(v));
  const I end = v < 0 ? std::numeric_limits<I>::min() : std::numeric_limits<I>::max();
  return static_cast<std::make_unsigned_t<I>>(end);
}

}  // namespace numeric

#define KRAIT_UNARY(name, R, A, expression)                      \
  template <>                                                    \
  struct Semantics<Opcode::name> {                               \
    static R apply(A a) { return expression; }         \
  };
#define KRAIT_BINARY(name, R, A, expression)                     \
  template <>                                                    \
  struct Semantics<Opcode::name> {                               \
    static R apply(A a, A b) { return expression; }    \
  };

#define KRAIT_INTEGER(I, U)                                                  \
  KRAIT_UNARY(I##Eqz, uint32_t, U, a == 0)                                   \
  KRAIT_BINARY(I##Eq, uint32_t, U, a == b)                                   \
  KRAIT_BINARY(I##Ne, uint32_t, U, a != b)                                   \
  KRAIT_BINARY(I##LtS, uint32_t, U, numeric::s(a) < numeric::s(b))           \
  KRAIT_BINARY(I##LtU, uint32_t, U, a < b)                                   \
  KRAIT_BINARY(I##GtS, uint32_t, U, numeric::s(a) > numeric::s(b))           \
  KRAIT_BINARY(I##GtU, uint32_t, U, a > b)                                   \
  KRAIT_BINARY(I##LeS, uint32_t, U, numeric::s(a) <= numeric::s(b))          \
  KRAIT_BINARY(I##LeU, uint32_t, U, a <= b)                                  \
  KRAIT_BINARY(I##GeS, uint32_t, U, numeric::s(a) >= numeric::s(b))          \
  KRAIT_BINARY(I##GeU, uint32_t, U, a >= b)                                  \
  KRAIT_UNARY(I##Clz, U, U, static_cast<U>(std::countl_zero(a)))             \
  KRAIT_UNARY(I##Ctz, U, U, static_cast<U>(std::countr_zero(a)))             \
  KRAIT_UNARY(I##Popcnt, U, U, static_cast<U>(std::popcount(a)))             \
  KRAIT_BINARY(I##Add, U, U, a + b)                                          \
  KRAIT_BINARY(I##Sub, U, U, a - b)                                          \
  KRAIT_BINARY(I##Mul, U, U, a * b)                                          \
  KRAIT_BINARY(I##DivS, Fallible<U>, U, numeric::div_s(a, b))                \
  KRAIT_BINARY(I##DivU, Fallible<U>, U, numeric::div_u(a, b))                \
  KRAIT_BINARY(I##RemS, Fallible<U>, U, numeric::rem_s(a, b))                \
  KRAIT_BINARY(I##RemU, Fallible<U>, U, numeric::rem_u(a, b))                \
  KRAIT_BINARY(I##And, U, U, a & b)                                          \
  KRAIT_BINARY(I##Or, U, U, a | b)                                           \
  KRAIT_BINARY(I##Xor, U, U, a ^ b)                                          \
  KRAIT_BINARY(I##Shl, U, U, numeric::shl(a, b))                             \
  KRAIT_BINARY(I##ShrS, U, U, numeric::shr_s(a, b))                          \
  KRAIT_BINARY(I##ShrU, U, U, numeric::shr_u(a, b))                          \
  KRAIT_BINARY(I##Rotl, U, U, numeric::rotl(a, b))                           \
  KRAIT_BINARY(I##Rotr, U, U, numeric::rotr(a, b))                           \
  KRAIT_UNARY(I##Extend8S, U, U, static_cast<U>(static_cast<int8_t>(a)))     \
  KRAIT_UNARY(I##Extend16S, U, U, static_cast<U>(static_cast<int16_t>(a)))
KRAIT_INTEGER(I32, uint32_t)
KRAIT_INTEGER(I64, uint64_t)
#undef KRAIT_INTEGER

#define KRAIT_FLOAT(N, F)                            \
  KRAIT_BINARY(N##Eq, uint32_t, F, a == b)           \
  KRAIT_BINARY(N##Ne, uint32_t, F, a != b)           \
  KRAIT_BINARY(N##Lt, uint32_t, F, a < b)            \
  KRAIT_BINARY(N##Gt, uint32_t, F, a > b)            \
  KRAIT_BINARY(N##Le, uint32_t, F, a <= b)           \
  KRAIT_BINARY(N##Ge, uint32_t, F, a >= b)           \
  KRAIT_UNARY(N##Abs, F, F, numeric::abs(a))         \
  KRAIT_UNARY(N##Neg, F, F, numeric::neg(a))         \
  KRAIT_UNARY(N##Ceil, F, F, numeric::ceil(a))       \
  KRAIT_UNARY(N##Floor, F, F, numeric::floor(a))     \
  KRAIT_UNARY(N##Trunc, F, F, numeric::trunc(a))     \
  KRAIT_UNARY(N##Nearest, F, F, numeric::nearest(a)) \
  KRAIT_UNARY(N##Sqrt, F, F, std::sqrt(a))           \
  KRAIT_BINARY(N##Add, F, F, a + b)                  \
  KRAIT_BINARY(N##Sub, F, F, a - b)                  \
  KRAIT_BINARY(N##Mul, F, F, a * b)                  \
  KRAIT_BINARY(N##Div, F, F, a / b)                  \
  KRAIT_BINARY(N##Min, F, F, numeric::min(a, b))     \
  KRAIT_BINARY(N##Max, F, F, numeric::max(a, b))     \
  KRAIT_BINARY(N##Copysign, F, F, numeric::copysign(a, b))
KRAIT_FLOAT(F32, float)
KRAIT_FLOAT(F64, double)
#undef KRAIT_FLOAT

KRAIT_UNARY(I32WrapI64, uint32_t, uint64_t, static_cast<uint32_t>(a))
KRAIT_UNARY(I64ExtendI32S, uint64_t, uint32_t, static_cast<uint64_t>(int64_t{static_cast<int32_t>(a)}))
KRAIT_UNARY(I64ExtendI32U, uint64_t, uint32_t, a)
KRAIT_UNARY(I64Extend32S, uint64_t, uint64_t, static_cast<uint64_t>(int64_t{static_cast<int32_t>(a)}))
KRAIT_UNARY(I32TruncF32S, Fallible<uint32_t>, float, numeric::trunc_to<int32_t>(a))
KRAIT_UNARY(I32TruncF32U, Fallible<uint32_t>, float, numeric::trunc_to<uint32_t>(a))
KRAIT_UNARY(I32TruncF64S, Fallible<uint32_t>, double, numeric::trunc_to<int32_t>(a))
KRAIT_UNARY(I32TruncF64U, Fallible<uint32_t>, double, numeric::trunc_to<uint32_t>(a))
KRAIT_UNARY(I64TruncF32S, Fallible<uint64_t>, float, numeric::trunc_to<int64_t>(a))
KRAIT_UNARY(I64TruncF32U, Fallible<uint64_t>, float, numeric::trunc_to<uint64_t>(a))
KRAIT_UNARY(I64TruncF64S, Fallible<uint64_t>, double, numeric::trunc_to<int64_t>(a))
KRAIT_UNARY(I64TruncF64U, Fallible<uint64_t>, double, numeric::trunc_to<uint64_t>(a))
KRAIT_UNARY(I32TruncSatF32S, uint32_t, float, numeric::trunc_sat<int32_t>(a))
KRAIT_UNARY(I32TruncSatF32U, uint32_t, float, numeric::trunc_sat<uint32_t>(a))
KRAIT_UNARY(I32TruncSatF64S, uint32_t, double, numeric::trunc_sat<int32_t>(a))
KRAIT_UNARY(I32TruncSatF64U, uint32_t, double, numeric::trunc_sat<uint32_t>(a))
KRAIT_UNARY(I64TruncSatF32S, uint64_t, float, numeric::trunc_sat<int64_t>(a))
KRAIT_UNARY(I64TruncSatF32U, uint64_t, float, numeric::trunc_sat<uint64_t>(a))
KRAIT_UNARY(I64TruncSatF64S, uint64_t, double, numeric::trunc_sat<int64_t>(a))
KRAIT_UNARY(I64TruncSatF64U, uint64_t, double, numeric::trunc_sat<uint64_t>(a))
KRAIT_UNARY(F32ConvertI32S, float, uint32_t, static_cast<float>(static_cast<int32_t>(a)))
KRAIT_UNARY(F32ConvertI32U, float, uint32_t, static_cast<float>(a))
KRAIT_UNARY(F32ConvertI64S, float, uint64_t, static_cast<float>(static_cast<int64_t>(a)))
KRAIT_UNARY(F32ConvertI64U, float, uint64_t, static_cast<float>(a))
KRAIT_UNARY(F64ConvertI32S, double, uint32_t, static_cast<double>(static_cast<int32_t>(a)))
KRAIT_UNARY(F64ConvertI32U, double, uint32_t, static_cast<double>(a))
KRAIT_UNARY(F64ConvertI64S, double, uint64_t, static_cast<double>(static_cast<int64_t>(a)))
KRAIT_UNARY(F64ConvertI64U, double, uint64_t, static_cast<double>(a))
KRAIT_UNARY(F32DemoteF64, float, double, static_cast<float>(a))
KRAIT_UNARY(F64PromoteF32, double, float, static_cast<double>(a))
KRAIT_UNARY(I32ReinterpretF32, uint32_t, float, std::bit_cast<uint32_t>(a))
KRAIT_UNARY(I64ReinterpretF64, uint64_t, double, std::bit_cast<uint64_t>(a))
KRAIT_UNARY(F32ReinterpretI32, float, uint32_t, std::bit_cast<float>(a))
KRAIT_UNARY(F64ReinterpretI64, double, uint64_t, std::bit_cast<double>(a))

}  // namespace krait::engine
