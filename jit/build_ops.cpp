// Tables from wasm instructions to IR nodes.
#include "jit/build_ops.hpp"

#include <array>
#include <optional>

namespace krait::jit {

using engine::Opcode;
using engine::OpcodeCount;

namespace {

template <typename T>
using Table = std::array<std::optional<T>, OpcodeCount>;

constexpr size_t at(Opcode o) { return static_cast<size_t>(o); }

constexpr void add_integers(Table<NumericOp>& t) {
  // ORDER: opcodes.def and ir.def list these alike, i32 and i64 each.
  struct Run { Opcode i32, i64; Op op; };
  constexpr Run Compares[] = {
      {Opcode::I32Eq, Opcode::I64Eq, Op::Eq},    {Opcode::I32Ne, Opcode::I64Ne, Op::Ne},
      {Opcode::I32LtS, Opcode::I64LtS, Op::LtS}, {Opcode::I32LtU, Opcode::I64LtU, Op::LtU},
      {Opcode::I32GtS, Opcode::I64GtS, Op::GtS}, {Opcode::I32GtU, Opcode::I64GtU, Op::GtU},
      {Opcode::I32LeS, Opcode::I64LeS, Op::LeS}, {Opcode::I32LeU, Opcode::I64LeU, Op::LeU},
      {Opcode::I32GeS, Opcode::I64GeS, Op::GeS}, {Opcode::I32GeU, Opcode::I64GeU, Op::GeU}};
  for (const Run& r : Compares) t[at(r.i32)] = t[at(r.i64)] = NumericOp{r.op, Type::I32};
  constexpr Run Arithmetic[] = {
      {Opcode::I32Clz, Opcode::I64Clz, Op::Clz},          {Opcode::I32Ctz, Opcode::I64Ctz, Op::Ctz},
      {Opcode::I32Popcnt, Opcode::I64Popcnt, Op::Popcnt}, {Opcode::I32Add, Opcode::I64Add, Op::Add},
      {Opcode::I32Sub, Opcode::I64Sub, Op::Sub},          {Opcode::I32Mul, Opcode::I64Mul, Op::Mul},
      {Opcode::I32DivS, Opcode::I64DivS, Op::DivS},       {Opcode::I32DivU, Opcode::I64DivU, Op::DivU},
      {Opcode::I32RemS, Opcode::I64RemS, Op::RemS},       {Opcode::I32RemU, Opcode::I64RemU, Op::RemU},
      {Opcode::I32And, Opcode::I64And, Op::And},          {Opcode::I32Or, Opcode::I64Or, Op::Or},
      {Opcode::I32Xor, Opcode::I64Xor, Op::Xor},          {Opcode::I32Shl, Opcode::I64Shl, Op::Shl},
      {Opcode::I32ShrS, Opcode::I64ShrS, Op::ShrS},       {Opcode::I32ShrU, Opcode::I64ShrU, Op::ShrU},
      {Opcode::I32Rotl, Opcode::I64Rotl, Op::Rotl},       {Opcode::I32Rotr, Opcode::I64Rotr, Op::Rotr},
      {Opcode::I32Extend8S, Opcode::I64Extend8S, Op::Extend8S},
      {Opcode::I32Extend16S, Opcode::I64Extend16S, Op::Extend16S}};
  for (const Run& r : Arithmetic) {
    t[at(r.i32)] = NumericOp{r.op, Type::I32};
    t[at(r.i64)] = NumericOp{r.op, Type::I64};
  }
  t[at(Opcode::I64Extend32S)] = NumericOp{Op::Extend32S, Type::I64};
  t[at(Opcode::I32WrapI64)] = NumericOp{Op::Wrap, Type::I32};
  t[at(Opcode::I64ExtendI32S)] = NumericOp{Op::ExtendS, Type::I64};
  t[at(Opcode::I64ExtendI32U)] = NumericOp{Op::ExtendU, Type::I64};
}

constexpr void add_floats(Table<NumericOp>& t) {
  struct Run { Opcode f32, f64; Op op; };
  constexpr Run Compares[] = {{Opcode::F32Eq, Opcode::F64Eq, Op::FEq}, {Opcode::F32Ne, Opcode::F64Ne, Op::FNe},
                              {Opcode::F32Lt, Opcode::F64Lt, Op::FLt}, {Opcode::F32Gt, Opcode::F64Gt, Op::FGt},
                              {Opcode::F32Le, Opcode::F64Le, Op::FLe}, {Opcode::F32Ge, Opcode::F64Ge, Op::FGe}};
  for (const Run& r : Compares) t[at(r.f32)] = t[at(r.f64)] = NumericOp{r.op, Type::I32};
  constexpr Run Arithmetic[] = {
      {Opcode::F32Add, Opcode::F64Add, Op::FAdd},             {Opcode::F32Sub, Opcode::F64Sub, Op::FSub},
      {Opcode::F32Mul, Opcode::F64Mul, Op::FMul},             {Opcode::F32Div, Opcode::F64Div, Op::FDiv},
      {Opcode::F32Min, Opcode::F64Min, Op::FMin},             {Opcode::F32Max, Opcode::F64Max, Op::FMax},
      {Opcode::F32Copysign, Opcode::F64Copysign, Op::FCopysign}, {Opcode::F32Abs, Opcode::F64Abs, Op::FAbs},
      {Opcode::F32Neg, Opcode::F64Neg, Op::FNeg},             {Opcode::F32Ceil, Opcode::F64Ceil, Op::FCeil},
      {Opcode::F32Floor, Opcode::F64Floor, Op::FFloor},       {Opcode::F32Trunc, Opcode::F64Trunc, Op::FTrunc},
      {Opcode::F32Nearest, Opcode::F64Nearest, Op::FNearest}, {Opcode::F32Sqrt, Opcode::F64Sqrt, Op::FSqrt}};
  for (const Run& r : Arithmetic) {
    t[at(r.f32)] = NumericOp{r.op, Type::F32};
    t[at(r.f64)] = NumericOp{r.op, Type::F64};
  }
}

constexpr void add_conversions(Table<NumericOp>& t) {
  struct Entry { Opcode opcode; Op op; Type type; };
  constexpr Entry Entries[] = {
      {Opcode::I32TruncF32S, Op::TruncS, Type::I32},       {Opcode::I32TruncF32U, Op::TruncU, Type::I32},
      {Opcode::I32TruncF64S, Op::TruncS, Type::I32},       {Opcode::I32TruncF64U, Op::TruncU, Type::I32},
      {Opcode::I64TruncF32S, Op::TruncS, Type::I64},       {Opcode::I64TruncF32U, Op::TruncU, Type::I64},
      {Opcode::I64TruncF64S, Op::TruncS, Type::I64},       {Opcode::I64TruncF64U, Op::TruncU, Type::I64},
      {Opcode::I32TruncSatF32S, Op::TruncSatS, Type::I32}, {Opcode::I32TruncSatF32U, Op::TruncSatU, Type::I32},
      {Opcode::I32TruncSatF64S, Op::TruncSatS, Type::I32}, {Opcode::I32TruncSatF64U, Op::TruncSatU, Type::I32},
      {Opcode::I64TruncSatF32S, Op::TruncSatS, Type::I64}, {Opcode::I64TruncSatF32U, Op::TruncSatU, Type::I64},
      {Opcode::I64TruncSatF64S, Op::TruncSatS, Type::I64}, {Opcode::I64TruncSatF64U, Op::TruncSatU, Type::I64},
      {Opcode::F32ConvertI32S, Op::ConvertS, Type::F32},   {Opcode::F32ConvertI32U, Op::ConvertU, Type::F32},
      {Opcode::F32ConvertI64S, Op::ConvertS, Type::F32},   {Opcode::F32ConvertI64U, Op::ConvertU, Type::F32},
      {Opcode::F64ConvertI32S, Op::ConvertS, Type::F64},   {Opcode::F64ConvertI32U, Op::ConvertU, Type::F64},
      {Opcode::F64ConvertI64S, Op::ConvertS, Type::F64},   {Opcode::F64ConvertI64U, Op::ConvertU, Type::F64},
      {Opcode::F32DemoteF64, Op::Demote, Type::F32},       {Opcode::F64PromoteF32, Op::Promote, Type::F64},
      {Opcode::I32ReinterpretF32, Op::Reinterpret, Type::I32}, {Opcode::I64ReinterpretF64, Op::Reinterpret, Type::I64},
      {Opcode::F32ReinterpretI32, Op::Reinterpret, Type::F32}, {Opcode::F64ReinterpretI64, Op::Reinterpret, Type::F64}};
  for (const Entry& e : Entries) t[at(e.opcode)] = NumericOp{e.op, e.type};
}

constexpr Table<NumericOp> Numeric = [] {
  Table<NumericOp> t{};
  add_integers(t);
  add_floats(t);
  add_conversions(t);
  return t;
}();

constexpr Table<MemoryOp> Memory = [] {
  Table<MemoryOp> t{};
  struct Entry { Opcode opcode; bool store; Type type; MemKind kind; };
  constexpr Entry Entries[] = {
      {Opcode::I32Load, false, Type::I32, MemKind::I32U},    {Opcode::I64Load, false, Type::I64, MemKind::I64},
      {Opcode::F32Load, false, Type::F32, MemKind::F32},     {Opcode::F64Load, false, Type::F64, MemKind::F64},
      {Opcode::I32Load8S, false, Type::I32, MemKind::I8S},   {Opcode::I32Load8U, false, Type::I32, MemKind::I8U},
      {Opcode::I32Load16S, false, Type::I32, MemKind::I16S}, {Opcode::I32Load16U, false, Type::I32, MemKind::I16U},
      {Opcode::I64Load8S, false, Type::I64, MemKind::I8S},   {Opcode::I64Load8U, false, Type::I64, MemKind::I8U},
      {Opcode::I64Load16S, false, Type::I64, MemKind::I16S}, {Opcode::I64Load16U, false, Type::I64, MemKind::I16U},
      {Opcode::I64Load32S, false, Type::I64, MemKind::I32S}, {Opcode::I64Load32U, false, Type::I64, MemKind::I32U},
      {Opcode::I32Store, true, Type::I32, MemKind::I32U},    {Opcode::I64Store, true, Type::I64, MemKind::I64},
      {Opcode::F32Store, true, Type::F32, MemKind::F32},     {Opcode::F64Store, true, Type::F64, MemKind::F64},
      {Opcode::I32Store8, true, Type::I32, MemKind::I8U},    {Opcode::I32Store16, true, Type::I32, MemKind::I16U},
      {Opcode::I64Store8, true, Type::I64, MemKind::I8U},    {Opcode::I64Store16, true, Type::I64, MemKind::I16U},
      {Opcode::I64Store32, true, Type::I64, MemKind::I32U},  {Opcode::V128Load, false, Type::V128, MemKind::V128},
      {Opcode::V128Store, true, Type::V128, MemKind::V128},
      {Opcode::V128Load8x8S, false, Type::V128, MemKind::V8x8S},   {Opcode::V128Load8x8U, false, Type::V128, MemKind::V8x8U},
      {Opcode::V128Load16x4S, false, Type::V128, MemKind::V16x4S}, {Opcode::V128Load16x4U, false, Type::V128, MemKind::V16x4U},
      {Opcode::V128Load32x2S, false, Type::V128, MemKind::V32x2S}, {Opcode::V128Load32x2U, false, Type::V128, MemKind::V32x2U},
      {Opcode::V128Load8Splat, false, Type::V128, MemKind::Splat8},   {Opcode::V128Load16Splat, false, Type::V128, MemKind::Splat16},
      {Opcode::V128Load32Splat, false, Type::V128, MemKind::Splat32}, {Opcode::V128Load64Splat, false, Type::V128, MemKind::Splat64},
      {Opcode::V128Load32Zero, false, Type::V128, MemKind::Zero32},   {Opcode::V128Load64Zero, false, Type::V128, MemKind::Zero64}};
  for (const Entry& e : Entries) t[at(e.opcode)] = MemoryOp{e.store, e.type, e.kind};
  return t;
}();

}  // namespace

const NumericOp* numeric_op(Opcode opcode) {
  const auto& entry = Numeric[at(opcode)];
  return entry ? &*entry : nullptr;
}

const MemoryOp* memory_op(Opcode opcode) {
  const auto& entry = Memory[at(opcode)];
  return entry ? &*entry : nullptr;
}

bool is_control(Opcode o) {
  return (at(o) <= at(Opcode::CatchAll) && o != Opcode::Nop) || o == Opcode::TryTable;
}

}  // namespace krait::jit
