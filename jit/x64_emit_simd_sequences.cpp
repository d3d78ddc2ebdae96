// The emitter: v128 instructions that x86 does not have as one. Operands outlive the result's definition, so d is none of
// them; T and U are scratch. What each computes, NaNs and saturation included, is what engine/simd.hpp says.
#include <cstring>

#include "jit/x64_emit_pair.hpp"

namespace krait::jit {

using engine::Opcode;
using Id = x86::Inst::Id;

namespace {
constexpr PReg T = FloatScratch, U = VectorScratch;
constexpr uint64_t Bytes = 0x0101'0101'0101'0101, Words = 0x0001'0001'0001'0001, Longs = 0x0000'0001'0000'0001;
constexpr uint64_t Sign32 = 0x8000'0000'8000'0000, Sign64 = uint64_t{1} << 63;
constexpr uint32_t Ordered = 7, Unordered = 3, NotLess = 5;  // predicates of cmpps
}  // namespace

void Emitter::emit_sequence(const Inst& inst) {
  switch (VectorImm::of(inst.imm).opcode) {
    case Opcode::I8x16Shl: case Opcode::I8x16ShrS: case Opcode::I8x16ShrU: return emit_byte_shift(inst);
    case Opcode::I64x2ShrS: case Opcode::I64x2Abs: case Opcode::I64x2Mul: case Opcode::I8x16Popcnt:
      return emit_long_arithmetic(inst);
    case Opcode::I8x16Shuffle: return emit_shuffle(inst);
    case Opcode::F32x4Min: case Opcode::F32x4Max: case Opcode::F64x2Min: case Opcode::F64x2Max:
    case Opcode::F32x4RelaxedMin: case Opcode::F32x4RelaxedMax: case Opcode::F64x2RelaxedMin: case Opcode::F64x2RelaxedMax:
      return emit_vector_min_max(inst);
    case Opcode::I32x4TruncSatF32x4S: case Opcode::I32x4TruncSatF32x4U:
    case Opcode::I32x4TruncSatF64x2SZero: case Opcode::I32x4TruncSatF64x2UZero:
    case Opcode::I32x4RelaxedTruncF32x4S: case Opcode::I32x4RelaxedTruncF32x4U:
    case Opcode::I32x4RelaxedTruncF64x2SZero: case Opcode::I32x4RelaxedTruncF64x2UZero:
      return emit_vector_truncate(inst);
    case Opcode::F32x4ConvertI32x4U: case Opcode::F64x2ConvertLowI32x4U: return emit_vector_convert(inst);
    case Opcode::I16x8RelaxedDotI8x16I7x16S: case Opcode::I32x4RelaxedDotI8x16I7x16AddS: return emit_dot_of_bytes(inst);
    case Opcode::V128AnyTrue: case Opcode::I8x16Bitmask: case Opcode::I16x8Bitmask: case Opcode::I32x4Bitmask:
    case Opcode::I64x2Bitmask: return emit_bitmask(inst);
    default: return emit_small_sequence(inst);
  }
}

void Emitter::emit_small_sequence(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b), c = reg_of(inst.c);
  switch (VectorImm::of(inst.imm).opcode) {
    case Opcode::V128Not:
      two(PAIR(Pcmpeqd, Vpcmpeqd), d, d, xmm(d));
      return two(PAIR(Pxor, Vpxor), d, d, xmm(a));
    case Opcode::V128Bitselect:
    case Opcode::I8x16RelaxedLaneselect: case Opcode::I16x8RelaxedLaneselect:
    case Opcode::I32x4RelaxedLaneselect: case Opcode::I64x2RelaxedLaneselect:
      two(PAIR(Pand, Vpand), T, c, xmm(a));
      two(PAIR(Pandn, Vpandn), d, c, xmm(b));
      return two(PAIR(Por, Vpor), d, d, xmm(T));
    case Opcode::I8x16Swizzle:
    case Opcode::I8x16RelaxedSwizzle:  // an index of 16 or more becomes one with its upper bit set
      two(PAIR(Paddusb, Vpaddusb), T, b, words(0x70 * Bytes));
      return two(PAIR(Pshufb, Vpshufb), d, a, xmm(T));
    case Opcode::I16x8ExtaddPairwiseI8x16S:
      a_.movaps(xmm(d), words(Bytes));
      return two(PAIR(Pmaddubsw, Vpmaddubsw), d, d, xmm(a));
    case Opcode::I16x8ExtaddPairwiseI8x16U: return two(PAIR(Pmaddubsw, Vpmaddubsw), d, a, words(Bytes));
    case Opcode::I32x4ExtaddPairwiseI16x8S: return two(PAIR(Pmaddwd, Vpmaddwd), d, a, words(Words));
    case Opcode::I32x4ExtaddPairwiseI16x8U:  // less 32768 each, and that twice added again
      two(PAIR(Pxor, Vpxor), d, a, words(0x8000 * Words));
      two(PAIR(Pmaddwd, Vpmaddwd), d, d, words(Words));
      return two(PAIR(Paddd, Vpaddd), d, d, words(0x1'0000 * Longs));
    case Opcode::I16x8Q15mulrSatS:
    case Opcode::I16x8RelaxedQ15mulrS:  // -1 * -1 is the one product that does not fit
      two(PAIR(Pmulhrsw, Vpmulhrsw), d, a, xmm(b));
      two(PAIR(Pcmpeqw, Vpcmpeqw), T, d, words(0x8000 * Words));
      return two(PAIR(Pxor, Vpxor), d, d, xmm(T));
    case Opcode::F32x4Abs: return two(PAIR(Andps, Vandps), d, a, words(~Sign32));
    case Opcode::F64x2Abs: return two(PAIR(Andpd, Vandpd), d, a, words(~Sign64));
    case Opcode::F32x4Neg: return two(PAIR(Xorps, Vxorps), d, a, words(Sign32));
    case Opcode::F64x2Neg: return two(PAIR(Xorpd, Vxorpd), d, a, words(Sign64));
    case Opcode::F32x4RelaxedMadd:
      two(PAIR(Mulps, Vmulps), T, a, xmm(b));
      return two(PAIR(Addps, Vaddps), d, T, xmm(c));
    case Opcode::F64x2RelaxedMadd:
      two(PAIR(Mulpd, Vmulpd), T, a, xmm(b));
      return two(PAIR(Addpd, Vaddpd), d, T, xmm(c));
    case Opcode::F32x4RelaxedNmadd:
      two(PAIR(Mulps, Vmulps), T, a, xmm(b));
      return two(PAIR(Subps, Vsubps), d, c, xmm(T));
    default:  // F64x2RelaxedNmadd
      two(PAIR(Mulpd, Vmulpd), T, a, xmm(b));
      return two(PAIR(Subpd, Vsubpd), d, c, xmm(T));
  }
}

void Emitter::emit_bitmask(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  auto mask = [&](Id sse, Id vex, PReg from) { a_.emit(cpu_.avx ? vex : sse, r32(d), xmm(from)); };
  switch (VectorImm::of(inst.imm).opcode) {
    case Opcode::I8x16Bitmask: return mask(Id::kIdPmovmskb, Id::kIdVpmovmskb, a);
    case Opcode::I16x8Bitmask:
      two(PAIR(Packsswb, Vpacksswb), T, a, xmm(a));
      mask(Id::kIdPmovmskb, Id::kIdVpmovmskb, T);
      a_.movzx(r32(d), r8(d));
      return;
    case Opcode::I32x4Bitmask: return mask(Id::kIdMovmskps, Id::kIdVmovmskps, a);
    case Opcode::I64x2Bitmask: return mask(Id::kIdMovmskpd, Id::kIdVmovmskpd, a);
    default:  // V128AnyTrue
      one(PAIR(Ptest, Vptest), a, xmm(a));
      a_.setne(r8(d));
      a_.movzx(r32(d), r8(d));
  }
}

/// There are no shifts of bytes: words are shifted, and what crossed a byte's border is masked.
void Emitter::emit_byte_shift(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  const Opcode opcode = VectorImm::of(inst.imm).opcode;
  const bool constant_count = inst.b.kind == Operand::Imm;
  const auto count = static_cast<uint32_t>(inst.b.imm & 7);
  if (opcode == Opcode::I8x16ShrS) {  // each byte as the upper half of a word
    asmjit::Operand by = asmjit::imm(count + 8);
    if (!constant_count) by = xmm(shift_count(inst.b, 7, 8));
    two(PAIR(Punpcklbw, Vpunpcklbw), d, a, xmm(a));
    two(PAIR(Punpckhbw, Vpunpckhbw), U, a, xmm(a));
    two(PAIR(Psraw, Vpsraw), d, d, by);
    two(PAIR(Psraw, Vpsraw), U, U, by);
    return two(PAIR(Packsswb, Vpacksswb), d, d, xmm(U));
  }
  const bool left = opcode == Opcode::I8x16Shl;
  const Pair op = left ? PAIR(Psllw, Vpsllw) : PAIR(Psrlw, Vpsrlw);
  if (constant_count) {
    two(op, d, a, asmjit::imm(count));
    return two(PAIR(Pand, Vpand), d, d, words((left ? 0xffu << count & 0xff : 0xffu >> count) * Bytes));
  }
  // U: 0xff >> count in each byte; shifted left before the shift, right behind it.
  shift_count(inst.b, 7, 8);
  two(PAIR(Pcmpeqd, Vpcmpeqd), U, U, xmm(U));
  two(PAIR(Psrlw, Vpsrlw), U, U, xmm(T));
  two(PAIR(Packuswb, Vpackuswb), U, U, xmm(U));
  shift_count(inst.b, 7, 0);
  if (left) {
    two(PAIR(Pand, Vpand), d, a, xmm(U));
    return two(op, d, d, xmm(T));
  }
  two(op, d, a, xmm(T));
  two(PAIR(Pand, Vpand), d, d, xmm(U));
}

void Emitter::emit_long_arithmetic(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  switch (VectorImm::of(inst.imm).opcode) {
    case Opcode::I64x2Abs:
      zero_vector(T);
      two(PAIR(Pcmpgtq, Vpcmpgtq), T, T, xmm(a));
      two(PAIR(Pxor, Vpxor), d, a, xmm(T));
      return two(PAIR(Psubq, Vpsubq), d, d, xmm(T));
    case Opcode::I64x2ShrS: {  // the sign bit, shifted as the rest, says what is to be extended
      const Pair shift = PAIR(Psrlq, Vpsrlq);
      if (inst.b.kind == Operand::Imm) {
        const uint32_t count = inst.b.imm & 63;
        two(shift, d, a, asmjit::imm(count));
        a_.movaps(xmm(U), words(Sign64 >> count));
      } else {
        shift_count(inst.b, 63, 0);
        a_.movaps(xmm(U), words(Sign64));
        two(shift, U, U, xmm(T));
        two(shift, d, a, xmm(T));
      }
      two(PAIR(Pxor, Vpxor), d, d, xmm(U));
      return two(PAIR(Psubq, Vpsubq), d, d, xmm(U));
    }
    case Opcode::I64x2Mul:  // low * low + (high * low + low * high << 32)
      two(PAIR(Psrlq, Vpsrlq), d, a, asmjit::imm(32));
      two(PAIR(Pmuludq, Vpmuludq), d, d, xmm(b));
      two(PAIR(Psrlq, Vpsrlq), T, b, asmjit::imm(32));
      two(PAIR(Pmuludq, Vpmuludq), T, T, xmm(a));
      two(PAIR(Paddq, Vpaddq), d, d, xmm(T));
      two(PAIR(Psllq, Vpsllq), d, d, asmjit::imm(32));
      two(PAIR(Pmuludq, Vpmuludq), T, a, xmm(b));
      return two(PAIR(Paddq, Vpaddq), d, d, xmm(T));
    default: {  // I8x16Popcnt: by nibbles
      const x86::Mem counts = constant(0x0302'0201'0201'0100, 0x0403'0302'0302'0201, 16);
      two(PAIR(Psrlw, Vpsrlw), d, a, asmjit::imm(4));
      two(PAIR(Pand, Vpand), d, d, words(0x0f * Bytes));
      a_.movaps(xmm(U), counts);
      two(PAIR(Pshufb, Vpshufb), U, U, xmm(d));
      two(PAIR(Pand, Vpand), T, a, words(0x0f * Bytes));
      a_.movaps(xmm(d), counts);
      two(PAIR(Pshufb, Vpshufb), d, d, xmm(T));
      return two(PAIR(Paddb, Vpaddb), d, d, xmm(U));
    }
  }
}

// -- Floats -------------------------------------------------------------------------------------------------

/// x86 gives the right operand where the operands are unordered or equal: so both ways, joined by their bits (zeros of either
/// sign); where unordered the sum, which is the NaN.
void Emitter::emit_vector_min_max(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  const Opcode opcode = VectorImm::of(inst.imm).opcode;
  const bool single = opcode == Opcode::F32x4Min || opcode == Opcode::F32x4Max || opcode == Opcode::F32x4RelaxedMin ||
                      opcode == Opcode::F32x4RelaxedMax;
  const bool min = opcode == Opcode::F32x4Min || opcode == Opcode::F64x2Min || opcode == Opcode::F32x4RelaxedMin ||
                   opcode == Opcode::F64x2RelaxedMin;
  const Pair op = single ? (min ? PAIR(Minps, Vminps) : PAIR(Maxps, Vmaxps)) : min ? PAIR(Minpd, Vminpd) : PAIR(Maxpd, Vmaxpd);
  two(op, d, a, xmm(b));
  two(op, U, b, xmm(a));
  two(min ? PAIR(Orps, Vorps) : PAIR(Andps, Vandps), d, d, xmm(U));
  two(single ? PAIR(Cmpps, Vcmpps) : PAIR(Cmppd, Vcmppd), T, a, xmm(b), Unordered);
  two(single ? PAIR(Addps, Vaddps) : PAIR(Addpd, Vaddpd), U, a, xmm(b));
  two(PAIR(Andps, Vandps), U, U, xmm(T));
  two(PAIR(Andnps, Vandnps), T, T, xmm(d));
  two(PAIR(Orps, Vorps), d, T, xmm(U));
}

void Emitter::emit_vector_truncate(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  constexpr uint64_t Two31 = 0x4f00'0000 * Longs;
  switch (VectorImm::of(inst.imm).opcode) {
    case Opcode::I32x4TruncSatF32x4S:
    case Opcode::I32x4RelaxedTruncF32x4S:  // NaNs to zero; the CPU's "no", 0x80000000, is right below, inverted above
      two(PAIR(Cmpps, Vcmpps), T, a, xmm(a), Ordered);
      two(PAIR(Andps, Vandps), T, T, xmm(a));
      one(PAIR(Cvttps2dq, Vcvttps2dq), d, xmm(T));
      two(PAIR(Cmpps, Vcmpps), T, T, words(Two31), NotLess);
      return two(PAIR(Pxor, Vpxor), d, d, xmm(T));
    case Opcode::I32x4TruncSatF32x4U:
    case Opcode::I32x4RelaxedTruncF32x4U:  // what is beyond 2^31 is converted apart and added
      zero_vector(U);
      two(PAIR(Maxps, Vmaxps), T, a, xmm(U));
      one(PAIR(Cvttps2dq, Vcvttps2dq), d, xmm(T));
      two(PAIR(Subps, Vsubps), T, T, words(Two31));
      two(PAIR(Cmpps, Vcmpps), U, T, words(Two31), NotLess);
      one(PAIR(Cvttps2dq, Vcvttps2dq), T, xmm(T));
      two(PAIR(Pxor, Vpxor), T, T, xmm(U));
      zero_vector(U);
      two(PAIR(Pmaxsd, Vpmaxsd), T, T, xmm(U));
      return two(PAIR(Paddd, Vpaddd), d, d, xmm(T));
    case Opcode::I32x4TruncSatF64x2SZero:
    case Opcode::I32x4RelaxedTruncF64x2SZero:
      two(PAIR(Cmppd, Vcmppd), T, a, xmm(a), Ordered);
      two(PAIR(Andpd, Vandpd), T, T, xmm(a));
      two(PAIR(Minpd, Vminpd), T, T, words(0x41df'ffff'ffc0'0000));  // 2^31 - 1
      return one(PAIR(Cvttpd2dq, Vcvttpd2dq), d, xmm(T));
    default:  // unsigned: the integer is the lower part of it + 2^52
      zero_vector(U);
      two(PAIR(Maxpd, Vmaxpd), T, a, xmm(U));
      two(PAIR(Minpd, Vminpd), T, T, words(0x41ef'ffff'ffe0'0000));  // 2^32 - 1
      one(PAIR(Roundpd, Vroundpd), T, xmm(T), 11);
      two(PAIR(Addpd, Vaddpd), T, T, words(0x4330'0000'0000'0000));
      return two(PAIR(Shufps, Vshufps), d, T, xmm(U), 0x88);
  }
}

void Emitter::emit_vector_convert(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  if (VectorImm::of(inst.imm).opcode == Opcode::F64x2ConvertLowI32x4U) {  // as the lower part of 2^52, which is then taken off
    two(PAIR(Punpckldq, Vpunpckldq), d, a, words(0x4330'0000 * Longs));
    return two(PAIR(Subpd, Vsubpd), d, d, words(0x4330'0000'0000'0000));
  }
  // The lower 16 bits and the rest, halved, are both exact; so their sum alone is rounded.
  two(PAIR(Pand, Vpand), T, a, words(0xffff * Longs));
  two(PAIR(Psubd, Vpsubd), d, a, xmm(T));
  two(PAIR(Psrld, Vpsrld), d, d, asmjit::imm(1));
  one(PAIR(Cvtdq2ps, Vcvtdq2ps), T, xmm(T));
  one(PAIR(Cvtdq2ps, Vcvtdq2ps), d, xmm(d));
  two(PAIR(Addps, Vaddps), d, d, xmm(d));
  two(PAIR(Addps, Vaddps), d, d, xmm(T));
}

/// Signed bytes: sums of two adjacent products as words that wrap; AddS adds adjacent ones of those to c.
void Emitter::emit_dot_of_bytes(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  const Pair extend = PAIR(Pmovsxbw, Vpmovsxbw), upper = PAIR(Pshufd, Vpshufd), multiply = PAIR(Pmullw, Vpmullw);
  one(extend, T, xmm(a));
  one(extend, U, xmm(b));
  two(multiply, T, T, xmm(U));
  one(upper, d, xmm(a), UpperHalf);
  one(extend, d, xmm(d));
  one(upper, U, xmm(b), UpperHalf);
  one(extend, U, xmm(U));
  two(multiply, d, d, xmm(U));
  two(PAIR(Phaddw, Vphaddw), T, T, xmm(d));
  if (VectorImm::of(inst.imm).opcode == Opcode::I16x8RelaxedDotI8x16I7x16S) return move_vector(d, T);
  two(PAIR(Pmaddwd, Vpmaddwd), T, T, words(Words));
  two(PAIR(Paddd, Vpaddd), d, T, xmm(reg_of(inst.c)));
}

// -- Shuffles -----------------------------------------------------------------------------------------------

namespace {
struct KnownShuffle {
  uint32_t sse, vex;
  uint8_t lanes[16];
};
constexpr KnownShuffle Unpacks[] = {
    {Id::kIdPunpcklbw, Id::kIdVpunpcklbw, {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23}},
    {Id::kIdPunpckhbw, Id::kIdVpunpckhbw, {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31}},
    {Id::kIdPunpcklwd, Id::kIdVpunpcklwd, {0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23}},
    {Id::kIdPunpckhwd, Id::kIdVpunpckhwd, {8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31}},
    {Id::kIdPunpckldq, Id::kIdVpunpckldq, {0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23}},
    {Id::kIdPunpckhdq, Id::kIdVpunpckhdq, {8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31}},
    {Id::kIdPunpcklqdq, Id::kIdVpunpcklqdq, {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23}},
    {Id::kIdPunpckhqdq, Id::kIdVpunpckhqdq, {8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31}},
};

/// The four groups of 4 bytes as indices, or false where a group is not whole.
bool as_longs(const uint8_t* lanes, uint8_t* longs) {
  for (int i = 0; i < 4; ++i) {
    if (lanes[4 * i] % 4 != 0) return false;
    for (int k = 1; k < 4; ++k)
      if (lanes[4 * i + k] != lanes[4 * i] + k) return false;
    longs[i] = lanes[4 * i] / 4;
  }
  return true;
}
uint32_t selector(const uint8_t* longs) {
  return (longs[0] & 3u) | (longs[1] & 3u) << 2 | (longs[2] & 3u) << 4 | (longs[3] & 3u) << 6;
}
}  // namespace

/// Both operands, by one instruction; false where there is none.
bool Emitter::emit_known_shuffle(const Inst& inst, const uint8_t* lanes) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  uint8_t swapped[16], longs[4];
  for (int i = 0; i < 16; ++i) swapped[i] = lanes[i] ^ 16;
  for (const KnownShuffle& known : Unpacks) {
    const Pair op{known.sse, known.vex};
    if (std::memcmp(known.lanes, lanes, 16) == 0) return two(op, d, a, xmm(b)), true;
    if (std::memcmp(known.lanes, swapped, 16) == 0) return two(op, d, b, xmm(a)), true;
  }
  uint32_t from_b = 0;
  bool blend = true, run = true;
  for (uint32_t i = 0; i < 16; ++i) {
    blend &= lanes[i] % 16 == i && (lanes[i] & 16) == (lanes[i & ~1u] & 16);
    if (lanes[i] & 16) from_b |= 1u << i / 2;
    run &= lanes[i] == lanes[0] + i;
  }
  if (blend) return two(PAIR(Pblendw, Vpblendw), d, a, xmm(b), from_b), true;
  if (run) return two(PAIR(Palignr, Vpalignr), d, b, xmm(a), lanes[0]), true;
  if (!as_longs(lanes, longs)) return false;
  if (longs[0] < 4 && longs[1] < 4 && longs[2] >= 4 && longs[3] >= 4)
    return two(PAIR(Shufps, Vshufps), d, a, xmm(b), selector(longs)), true;
  if (longs[0] >= 4 && longs[1] >= 4 && longs[2] < 4 && longs[3] < 4)
    return two(PAIR(Shufps, Vshufps), d, b, xmm(a), selector(longs)), true;
  return false;
}

void Emitter::emit_shuffle(const Inst& inst) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  const auto& vector = f_.ir->vectors[VectorImm::of(inst.imm).vector];
  uint8_t lanes[16], longs[4];
  std::memcpy(lanes, &vector, 16);
  bool only_a = a == b, only_b = true;
  if (a == b) {
    for (uint8_t& lane : lanes) lane &= 15;
    only_b = false;
  } else {
    only_a = true;
    for (uint8_t lane : lanes) only_a &= lane < 16, only_b &= lane >= 16;
  }
  if (only_a || only_b) {
    const PReg from = only_a ? a : b;
    for (uint8_t& lane : lanes) lane &= 15;
    if (as_longs(lanes, longs)) return one(PAIR(Pshufd, Vpshufd), d, xmm(from), selector(longs));
    uint64_t mask[2];
    std::memcpy(mask, lanes, 16);
    return two(PAIR(Pshufb, Vpshufb), d, from, constant(mask[0], mask[1], 16));
  }
  if (emit_known_shuffle(inst, lanes)) return;
  uint8_t masks[2][16];
  for (int i = 0; i < 16; ++i) {
    masks[0][i] = lanes[i] < 16 ? lanes[i] : 0x80;
    masks[1][i] = lanes[i] < 16 ? 0x80 : lanes[i] & 15;
  }
  uint64_t words_of[2][2];
  std::memcpy(words_of, masks, sizeof masks);
  two(PAIR(Pshufb, Vpshufb), T, a, constant(words_of[0][0], words_of[0][1], 16));
  two(PAIR(Pshufb, Vpshufb), d, b, constant(words_of[1][0], words_of[1][1], 16));
  two(PAIR(Por, Vpor), d, d, xmm(T));
}

}  // namespace krait::jit
