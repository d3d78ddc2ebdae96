// The calling convention; jit/README.md says it in words.
#include "jit/convention.hpp"

namespace krait::jit {
namespace {

void assign(const std::vector<engine::ValType>& types, std::span<const PReg> ints, std::span<const PReg> floats,
            uint32_t& area, std::vector<Place>& out) {
  size_t next_int = 0, next_float = 0;
  for (engine::ValType t : types) {
    const Type type = type_of(t);
    Place place{NoPReg, 0, type};
    if (is_float(type) ? next_float < floats.size() : next_int < ints.size()) {
      place.reg = is_float(type) ? floats[next_float++] : ints[next_int++];
    } else {
      place.offset = area;
      area += type == Type::V128 ? 16 : 8;
    }
    out.push_back(place);
  }
}

}  // namespace

Signature signature_of(const engine::FuncType& type) {
  Signature s;
  assign(type.params, IntArgs, FloatArgs, s.arguments, s.params);
  s.arguments = (s.arguments + 15) & ~15u;
  uint32_t area = s.arguments;
  assign(type.results, IntResults, FloatResults, area, s.results);
  s.results_area = area - s.arguments;
  return s;
}

}  // namespace krait::jit
