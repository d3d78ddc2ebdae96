// Numeric instructions as handlers: operands by cache state, the computation by Semantics.
#pragma once

#include "engine/interp_core.hpp"
#include "engine/simd.hpp"

namespace krait::engine::interp {

template <typename T>
inline T value_of(const Slot* s) {
  if constexpr (std::is_same_v<T, V128>) return {s[0], s[1]};
  else if constexpr (std::is_same_v<T, float>) return std::bit_cast<float>(static_cast<uint32_t>(*s));
  else if constexpr (std::is_same_v<T, double>) return std::bit_cast<double>(*s);
  else return static_cast<T>(*s);
}
template <typename T>
inline T value_of(Slot s) { return value_of<T>(&s); }

inline Slot slot_of(uint32_t v) { return v; }
inline Slot slot_of(uint64_t v) { return v; }
inline Slot slot_of(float v) { return std::bit_cast<uint32_t>(v); }
inline Slot slot_of(double v) { return std::bit_cast<uint64_t>(v); }
template <typename T>
inline void put(Slot* s, T v) {
  if constexpr (std::is_same_v<T, V128>) s[0] = v.low, s[1] = v.high;
  else *s = slot_of(v);
}

template <typename T>
constexpr uint32_t SlotsOf = std::is_same_v<T, V128> ? 2 : 1;

template <typename T>
struct Yield { using Type = T; static constexpr bool MayTrap = false; };
template <typename T>
struct Yield<Fallible<T>> { using Type = T; static constexpr bool MayTrap = true; };

template <typename F>
struct Shape;
template <typename R, typename A>
struct Shape<R (*)(A)> {
  using First = A;
  using Result = R;
  static constexpr unsigned Arity = 1;
};
template <typename R, typename A, typename B>
struct Shape<R (*)(A, B)> {
  using First = A;
  using Second = B;
  using Result = R;
  static constexpr unsigned Arity = 2;
};
template <typename R, typename A, typename B, typename C>
struct Shape<R (*)(A, B, C)> {
  using First = A;
  using Second = B;
  using Third = C;
  using Result = R;
  static constexpr unsigned Arity = 3;
};

// Branches ---------------------------------------------------------------------------------------------------

/// Behind a block type, or a label, at `at`.
inline const uint8_t* behind_block_type(const uint8_t* at) {
  if (*at++ & 0x80) [[unlikely]] skip_leb(at);
  return at;
}

KRAIT_HANDLER Next poll(PARAMS);      ///< acts on an interrupt, and goes on
KRAIT_HANDLER Next hot_loop(PARAMS);  ///< at a loop's first instruction that is no `block`: goes on there, perhaps in machine code

/// Takes one off a countdown; true when it has run out.
inline bool cool(std::atomic<int32_t>& heat) {
  const int32_t left = heat.load(std::memory_order_relaxed) - 1;
  heat.store(left, std::memory_order_relaxed);
  return left < 0;
}
inline bool cool_loop(const Context& ctx, const Frame& frame) {
  return ctx.heat && cool(ctx.heat[frame.function - frame.run->functions]);
}

// Instructions -----------------------------------------------------------------------------------------------

/// Applies Semantics<O> to operands in memory: those of prefixed instructions, which may be v128.
template <Opcode O>
inline auto apply_in_memory(Slot*& sp) {
  using S = Shape<decltype(&Semantics<O>::apply)>;
  using A = typename S::First;
  if constexpr (S::Arity == 1) {
    sp -= SlotsOf<A>;
    return Semantics<O>::apply(value_of<A>(sp));
  } else if constexpr (S::Arity == 2) {
    using B = typename S::Second;
    sp -= SlotsOf<A> + SlotsOf<B>;
    return Semantics<O>::apply(value_of<A>(sp), value_of<B>(sp + SlotsOf<A>));
  } else {
    using B = typename S::Second;
    using C = typename S::Third;
    sp -= SlotsOf<A> + SlotsOf<B> + SlotsOf<C>;
    return Semantics<O>::apply(value_of<A>(sp), value_of<B>(sp + SlotsOf<A>),
                               value_of<C>(sp + SlotsOf<A> + SlotsOf<B>));
  }
}

/// A prefixed numeric instruction; entered as SimdHandlers and the like are.
template <Opcode O>
KRAIT_HANDLER Next prefixed_numeric(PARAMS) {
  const auto result = apply_in_memory<O>(sp);
  put(sp, result);
  sp += SlotsOf<std::remove_const_t<decltype(result)>>;
  pc = reinterpret_cast<const uint8_t*>(tos);
  NEXT(0);
}

}  // namespace krait::engine::interp
