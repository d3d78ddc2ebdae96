// Element and data segments.
#include "engine/decode.hpp"

namespace krait::engine {

bool Decoder::element_section() {
  const uint32_t count = reader_.count("element segments", limits::ElementSegments, 2);
  for (uint32_t i = 0; i < count; ++i) {
    if (!element_segment(module_.elements.emplace_back())) return false;
  }
  return true;
}

/// The eight kinds. Bit 0: not active; bit 1: explicit table, or declarative where bit 0 is set;
/// bit 2: expressions in place of function indices.
bool Decoder::element_segment(ElementSegment& segment) {
  const uint32_t at = reader_.offset();
  const uint32_t flags = reader_.u32();
  if (flags > 7) return fail(at, "malformed elements segment kind " + std::to_string(flags));
  const bool inactive = flags & 1, second = flags & 2, expressions = flags & 4;
  segment.mode = !inactive ? SegmentMode::Active
                 : second  ? SegmentMode::Declarative
                           : SegmentMode::Passive;
  if (!inactive) {
    segment.table = second ? reader_.u32() : 0;
    if (reader_.failed()) return false;
    if (segment.table >= module_.tables.size())
      return fail(at, "unknown table " + std::to_string(segment.table));
    if (!validate_const_expr(context_, reader_, ValType::I32, segment.offset)) return false;
  }
  if (inactive || second) {
    if (expressions) {
      segment.type = reader_.ref_type();
    } else if (const uint8_t kind = reader_.byte(); kind != 0) {
      return fail(at, "malformed element kind: expected 0 (funcref), found " + hex(kind));
    }
  }
  if (reader_.failed()) return false;
  if (!inactive && segment.type != module_.tables[segment.table].type.element) {
    return fail(at, "type mismatch: elements of type " + std::string(name_of(segment.type)) +
                        " for a table of " + name_of(module_.tables[segment.table].type.element));
  }
  const uint32_t count = reader_.count("elements", limits::SegmentElements, expressions ? 2 : 1);
  if (!expressions) return element_functions(segment, count);
  segment.expressions.resize(count);
  for (ConstExpr& expression : segment.expressions) {
    if (!validate_const_expr(context_, reader_, segment.type, expression)) return false;
  }
  return !reader_.failed();
}

bool Decoder::element_functions(ElementSegment& segment, uint32_t count) {
  segment.functions.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = reader_.offset();
    const uint32_t func = reader_.u32();
    if (reader_.failed()) return false;
    if (func >= module_.func_types.size()) {
      return fail(at, "unknown function " + std::to_string(func) + ": there are " +
                          std::to_string(module_.func_types.size()));
    }
    context_.declared_funcs[func] = true;
    segment.functions.push_back(func);
  }
  return !reader_.failed();
}

bool Decoder::data_count_section() {
  const uint32_t at = reader_.offset();
  context_.data_count = reader_.u32();
  context_.has_data_count = true;
  if (context_.data_count > limits::DataSegments) {
    return fail(at, "too many data segments: " + std::to_string(context_.data_count) +
                        ", the limit is " + std::to_string(limits::DataSegments));
  }
  return !reader_.failed();
}

bool Decoder::data_section() {
  const uint32_t at = reader_.offset();
  const uint32_t count = reader_.count("data segments", limits::DataSegments, 2);
  if (reader_.failed()) return false;
  if (context_.has_data_count && count != context_.data_count) {
    return fail(at, "data count and data section have inconsistent lengths: " +
                        std::to_string(context_.data_count) + " and " + std::to_string(count));
  }
  module_.data.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (!data_segment(module_.data.emplace_back())) return false;
  }
  return true;
}

bool Decoder::data_segment(DataSegment& segment) {
  const uint32_t at = reader_.offset();
  const uint32_t flags = reader_.u32();
  if (flags > 2) return fail(at, "malformed data segment kind " + std::to_string(flags));
  if (flags != 1) {
    segment.mode = SegmentMode::Active;
    segment.memory = flags == 2 ? reader_.u32() : 0;
    if (reader_.failed()) return false;
    if (segment.memory >= module_.memories.size())
      return fail(at, "unknown memory " + std::to_string(segment.memory));
    if (!validate_const_expr(context_, reader_, ValType::I32, segment.offset)) return false;
  }
  const uint32_t size_at = reader_.offset();
  const uint32_t size = reader_.u32();
  if (size > reader_.remaining()) {
    return fail(size_at, "unexpected end of section or function: a segment of " +
                             std::to_string(size) + " bytes, " +
                             std::to_string(reader_.remaining()) + " are left");
  }
  segment.begin = reader_.offset();
  reader_.take(size);
  segment.end = reader_.offset();
  return !reader_.failed();
}

}  // namespace krait::engine
