// Where arguments and results of a signature lie.
#pragma once

#include <vector>

#include "jit/ir.hpp"
#include "jit/regs.hpp"

namespace krait::jit {

/// A register, or bytes above the return address (callee) resp. above rsp (caller).
struct Place {
  PReg reg = NoPReg;
  uint32_t offset = 0;
  Type type = Type::None;
};

struct Signature {
  std::vector<Place> params, results;
  uint32_t area = 0;  ///< bytes of stack arguments and memory results
};
Signature signature_of(const engine::FuncType& type);
inline uint32_t signature_area(const engine::FuncType& type) { return signature_of(type).area; }

}  // namespace krait::jit
