// The register convention; jit/README.md says it in words.
#pragma once

#include <array>
#include <cstdint>

namespace krait::jit {

/// A physical register: 0..15 general (by x86 encoding), 16..31 xmm.
using PReg = uint8_t;
constexpr PReg NoPReg = 0xff;
constexpr uint32_t PRegCount = 32;

enum : PReg { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15, Xmm0 };
constexpr PReg Xmm(unsigned n) { return static_cast<PReg>(Xmm0 + n); }
constexpr bool is_xmm(PReg r) { return r >= Xmm0; }
constexpr unsigned encoding(PReg r) { return r & 15u; }

constexpr PReg MemoryBase = R14, ContextReg = R15, Scratch = R11, FloatScratch = Xmm(15);

/// Sets of registers as bits.
using RegSet = uint32_t;
constexpr RegSet bit(PReg r) { return RegSet{1} << r; }
template <typename... R>
constexpr RegSet reg_set(R... r) { return (bit(r) | ...); }

constexpr std::array<PReg, 6> IntArgs = {Rdi, Rsi, Rdx, Rcx, R8, Rax};
constexpr std::array<PReg, 8> FloatArgs = {Xmm(0), Xmm(1), Xmm(2), Xmm(3), Xmm(4), Xmm(5), Xmm(6), Xmm(7)};
constexpr std::array<PReg, 2> IntResults = {Rax, Rdx};
constexpr std::array<PReg, 2> FloatResults = {Xmm(0), Xmm(1)};

constexpr RegSet AllXmm = 0xffff0000u & ~bit(FloatScratch);
constexpr RegSet CalleeSaved = reg_set(Rbx, Rbp, R12, R13, R9, R10);
constexpr RegSet Allocatable =
    (0xffffu & ~reg_set(Rsp, R11, R14, R15)) | AllXmm;
constexpr RegSet CallClobbers = Allocatable & ~CalleeSaved;
/// What a C++ function may change.
constexpr RegSet SystemVClobbers = (CallClobbers | reg_set(R9, R10)) & ~reg_set(Rbx, Rbp, R12, R13);
constexpr std::array<PReg, 6> SystemVArgs = {Rdi, Rsi, Rdx, Rcx, R8, R9};

/// The order in which registers are tried: those that cost nothing first, short encodings first.
constexpr std::array<PReg, 12> IntOrder = {Rax, Rcx, Rdx, Rsi, Rdi, R8, Rbx, Rbp, R12, R13, R9, R10};

}  // namespace krait::jit
