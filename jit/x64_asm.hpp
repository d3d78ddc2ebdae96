// asmjit, with our registers. Only the x64_*.cpp sources include this.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <asmjit/x86.h>
#pragma GCC diagnostic pop

#include "jit/ir.hpp"
#include "jit/regs.hpp"

namespace krait::jit {

namespace x86 = asmjit::x86;

inline x86::Gp r64(PReg r) { return x86::gpq(encoding(r)); }
inline x86::Gp r32(PReg r) { return x86::gpd(encoding(r)); }
inline x86::Gp r16(PReg r) { return x86::gpw(encoding(r)); }
inline x86::Gp r8(PReg r) { return x86::gpb_lo(encoding(r)); }
inline x86::Gp gp(Type t, PReg r) { return t == Type::I32 ? r32(r) : r64(r); }
inline x86::Xmm xmm(PReg r) { return x86::xmm(encoding(r)); }

/// A field of the running instance's Context.
inline x86::Mem context_field(size_t offset, uint32_t size) {
  return x86::Mem(r64(ContextReg), static_cast<int32_t>(offset), size);
}

}  // namespace krait::jit
