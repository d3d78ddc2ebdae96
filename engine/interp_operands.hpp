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

/// Takes the entry at stp, which moves operands.
template <unsigned State>
KRAIT_SLOW Next branch_moving(PARAMS) {
  const BranchEntry entry = *stp;
  pc += entry.delta_pc;
  stp += entry.delta_stp;
  if constexpr (State != 0) {
    if (entry.keep == 1) {  // the kept value is the cached one on top
      if constexpr (State == 2) tos = b;
      sp -= entry.drop - (State - 1);
      NEXT(1);
    }
  }
  SPILL(State);
  std::memmove(sp - entry.keep - entry.drop, sp - entry.keep, entry.keep * sizeof(Slot));
  sp -= entry.drop;
  NEXT(0);
}

/// Takes the entry at stp, with the operands in `state`.
#define TAKE_BRANCH(state)                                    \
  do {                                                        \
    if (stp->drop != 0) [[unlikely]] JUMP(branch_moving<state>); \
    pc += stp->delta_pc;                                      \
    stp += stp->delta_stp;                                    \
    NEXT(state);                                              \
  } while (0)

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

/// A one-byte numeric instruction.
template <unsigned State, Opcode O>
struct Op {
  using S = Shape<decltype(&Semantics<O>::apply)>;
  using R = Yield<typename S::Result>;

  /// A comparison in front of a br_if branches at once: the pair is the most frequent of all, and its result needs no
  /// place in the cache.
  static constexpr bool Compares = O >= Opcode::I32Eqz && O <= Opcode::F64Ge;
  static constexpr uint8_t BrIf = 0x0d;
#define FUSE_BR_IF(state)                \
  if constexpr (Compares) {              \
    if (pc[1] == BrIf) {                 \
      ++pc;                              \
      if (result) TAKE_BRANCH(state);    \
      ++stp;                             \
      pc = behind_block_type(pc + 1);    \
      NEXT(state);                       \
    }                                    \
  }

  static KRAIT_HANDLER Next run(PARAMS) {
    if constexpr (S::Arity == 2) {
      Slot first, second;
      if constexpr (State == 2) first = tos, second = b;
      if constexpr (State == 1) first = *--sp, second = tos;
      if constexpr (State == 0) sp -= 2, first = sp[0], second = sp[1];
      const auto result =
          Semantics<O>::apply(value_of<typename S::First>(first), value_of<typename S::Second>(second));
      if constexpr (R::MayTrap) {
        if (!result.ok) [[unlikely]] TRAP(result.trap);
        tos = slot_of(result.value);
      } else {
        FUSE_BR_IF(0)
        tos = slot_of(result);
      }
      ++pc;
      NEXT(1);
    } else {
      const Slot operand = State == 2 ? b : State == 1 ? tos : *--sp;
      const auto result = Semantics<O>::apply(value_of<typename S::First>(operand));
      Slot out;
      if constexpr (R::MayTrap) {
        if (!result.ok) [[unlikely]] TRAP(result.trap);
        out = slot_of(result.value);
      } else {
        FUSE_BR_IF(State == 2 ? 1 : 0)
        out = slot_of(result);
      }
      ++pc;
      if constexpr (State == 2) {
        b = out;
        NEXT(2);
      } else {
        tos = out;
        NEXT(1);
      }
    }
  }
};

}  // namespace krait::engine::interp
