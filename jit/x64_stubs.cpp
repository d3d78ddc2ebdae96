// Entry thunks. What they push and where they keep rsp is what leave() (builtins.cpp) undoes.
#include "jit/x64_stubs.hpp"

#include <cstddef>

#include "engine/store.hpp"
#include "jit/convention.hpp"
#include "jit/x64_asm.hpp"

namespace krait::jit {
namespace {

constexpr PReg Pushed[] = {Rbx, Rbp, R12, R13, R14, R15};

void load(x86::Assembler& a, const Place& p, const x86::Mem& slot) {
  if (p.type == Type::V128) {  // xmm15 is nobody's
    const PReg to = p.reg == NoPReg ? FloatScratch : p.reg;
    a.movups(xmm(to), slot.cloneResized(16));
    if (p.reg == NoPReg) a.movups(x86::ptr(x86::rsp, static_cast<int32_t>(p.offset), 16), xmm(to));
    return;
  }
  if (p.reg == NoPReg) {
    a.mov(x86::rax, slot);
    a.mov(x86::ptr(x86::rsp, static_cast<int32_t>(p.offset), 8), x86::rax);
  } else if (is_float(p.type)) {
    a.movsd(xmm(p.reg), slot);
  } else if (p.type == Type::I32) {
    a.mov(r32(p.reg), slot.cloneResized(4));
  } else {
    a.mov(r64(p.reg), slot);
  }
}

void store(x86::Assembler& a, const Place& p, const x86::Mem& slot) {
  if (p.type == Type::V128) {
    const PReg from = p.reg == NoPReg ? FloatScratch : p.reg;
    if (p.reg == NoPReg) a.movups(xmm(from), x86::ptr(x86::rsp, static_cast<int32_t>(p.offset), 16));
    a.movups(slot.cloneResized(16), xmm(from));
    return;
  }
  if (p.reg == NoPReg) {
    a.mov(x86::rcx, x86::ptr(x86::rsp, static_cast<int32_t>(p.offset), 8));
    a.mov(slot, x86::rcx);
  } else if (is_float(p.type)) {
    if (p.type == Type::F32) {  // the slot's upper half is zero
      a.movd(x86::ecx, xmm(p.reg));
      a.mov(slot, x86::rcx);
    } else {
      a.movsd(slot, xmm(p.reg));
    }
  } else {
    a.mov(slot, r64(p.reg));
  }
}

}  // namespace

std::vector<uint8_t> emit_enter(const engine::FuncType& type) {
  const Signature s = signature_of(type);
  asmjit::CodeHolder code;
  code.init(asmjit::Environment(asmjit::Arch::kX64));
  x86::Assembler a(&code);
  const uint32_t area = ((s.results_area + 15) & ~15u) + 8;
  for (PReg r : Pushed) a.push(r64(r));
  a.mov(x86::ptr(x86::rdi, offsetof(engine::Activation, unwind) + 8 * UnwindEntry, 8), x86::rsp);
  a.mov(r64(ContextReg), x86::rdx);
  a.mov(r64(MemoryBase), context_field(offsetof(engine::Context, memory0_base), 8));
  a.mov(x86::rbx, x86::rcx);
  a.mov(x86::r12, x86::rsi);
  a.sub(x86::rsp, area);
  a.mov(x86::ptr(x86::rdi, offsetof(engine::Activation, unwind) + 8 * UnwindBottom, 8), x86::rsp);
  if (s.arguments) a.sub(x86::rsp, s.arguments);
  auto each = [&](const std::vector<Place>& places, auto move, bool memory_first, uint32_t popped) {
    for (bool memory : {memory_first, !memory_first}) {
      int32_t slot = 0;
      for (Place p : places) {
        p.offset -= p.reg == NoPReg ? popped : 0;
        if ((p.reg == NoPReg) == memory) move(a, p, x86::ptr(x86::rbx, slot, 8));
        slot += p.type == Type::V128 ? 16 : 8;
      }
    }
  };
  each(s.params, load, true, 0);  // what goes through rax first
  a.call(x86::r12);
  each(s.results, store, false, s.arguments);
  a.mov(x86::eax, 1);
  a.add(x86::rsp, area);
  for (size_t i = std::size(Pushed); i-- > 0;) a.pop(r64(Pushed[i]));
  a.ret();
  std::vector<uint8_t> bytes(code.codeSize());
  code.copyFlattenedData(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace krait::jit
