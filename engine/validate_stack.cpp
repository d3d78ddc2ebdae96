// The validator's operand stack: slow paths and lists of types.
#include <algorithm>
#include <cstring>

#include "engine/validate.hpp"

namespace krait::engine {

std::span<const ValType> slots_of_one(ValType type) {
  static constexpr ValType Wide[] = {ValType::V128, ValType::V128};
  if (type == ValType::Bottom) return {};
  return type == ValType::V128 ? std::span<const ValType>(Wide) : single(type);
}

Validator::Types::Types(std::span<const FuncType> types) {
  each_.reserve(types.size());
  for (const FuncType& type : types) {
    each_.push_back({of(type.params, type.param_slots), of(type.results, type.result_slots)});
  }
}

std::span<const ValType> Validator::Types::of(std::span<const ValType> types, uint32_t slots) {
  if (slots == types.size()) return types;
  std::vector<ValType>& wide = wide_.emplace_back();
  wide.reserve(slots);
  for (ValType type : types) wide.insert(wide.end(), slots_of(type), type);
  return wide;
}

/// Makes `height` the highest so far. Over the limit, validation fails; the height goes back so
/// that the write which follows has its room.
void Validator::raise_max(uint32_t height) {
  if (height > limits::OperandSlots) {
    fail("too many operands: the limit is " + std::to_string(limits::OperandSlots) + " slots");
    top_ = 0;
    return;
  }
  max_ = height;
  if (max_ > stack_.size()) stack_.resize(std::max<size_t>(max_, stack_.size() * 2));
}

bool Validator::fail_type(std::string_view expected, ValType found) {
  return fail("type mismatch: " + std::string(info_of(in_.op).text) + " expects " +
              std::string(expected) + ", found " + name_of(found));
}

/// pop() where the top is not the expected type itself.
bool Validator::pop_unequal(ValType expected) {
  if (top_ == frame_height_) {
    return frame_->unreachable ||
           fail("type mismatch: " + std::string(info_of(in_.op).text) + " expects " +
                name_of(expected) + ", found nothing on the stack of its block");
  }
  if (stack_[top_ - 1] != ValType::Bottom) return fail_type(name_of(expected), stack_[top_ - 1]);
  --top_;
  return true;
}

bool Validator::pop_any(ValType& out) {
  out = ValType::Bottom;
  if (top_ == frame_height_) {
    return frame_->unreachable ||
           fail("type mismatch: " + std::string(info_of(in_.op).text) +
                " expects an operand, found nothing on the stack of its block");
  }
  out = stack_[top_ - 1];
  top_ -= slots_of(out);
  return true;
}

bool Validator::pop_list(std::span<const ValType> slots) {
  // As bytes: a call of three bytes may take a thousand params. What a polymorphic stack does not
  // hold, it has of any type.
  const auto count = static_cast<uint32_t>(slots.size());
  const uint32_t there = std::min(count, top_ - frame_height_);
  const std::span<const ValType> last = slots.last(there);
  if ((there == count || frame_->unreachable) &&
      (there == 0 || std::memcmp(last.data(), stack_.data() + (top_ - there), there) == 0)) {
    top_ -= there;
    return true;
  }
  for (uint32_t i = count; i > 0; i -= slots_of(slots[i - 1])) {
    if (!pop(slots[i - 1])) return false;
  }
  return true;
}

void Validator::push_list(std::span<const ValType> slots) {
  const auto count = static_cast<uint32_t>(slots.size());
  if (top_ + count > max_) raise_max(top_ + count);
  if (reader_.failed()) return;
  std::copy(slots.begin(), slots.end(), stack_.begin() + top_);
  top_ += count;
}

/// That the topmost operands are of these types; they stay.
bool Validator::check_top(std::span<const ValType> slots) {
  const uint32_t top = top_;
  const bool matches = pop_list(slots);
  // Popping moves the height only: what stood above it is still there.
  top_ = top;
  return matches;
}

size_t Validator::arity_of(std::span<const ValType> slots) const {
  if (!function_->uses_v128) return slots.size();
  return slots.size() -
         static_cast<size_t>(std::count(slots.begin(), slots.end(), ValType::V128)) / 2;
}

/// Whether v128 (more slots than types) comes up in a function so far without any: invariant 4.
bool Validator::needs_v128(const FuncType& type) {
  if (function_->uses_v128) return false;
  restart_ = type.param_slots != type.params.size() || type.result_slots != type.results.size();
  return restart_;
}

}  // namespace krait::engine
