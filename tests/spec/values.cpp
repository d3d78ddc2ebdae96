#include "tests/spec/values.hpp"

#include <array>
#include <cstring>

#include "engine/host.hpp"

namespace krait::spec {

using engine::ExternRef;
using engine::Slot;
using engine::ValType;

namespace {

struct Lane {
  const char* type;
  uint32_t bytes;
  bool floating;
};
constexpr Lane Lanes[] = {{"i8", 1, false},  {"i16", 2, false}, {"i32", 4, false},
                          {"i64", 8, false}, {"f32", 4, true},  {"f64", 8, true}};

const Lane* lane_of(const std::string& type) {
  for (const Lane& lane : Lanes)
    if (type == lane.type) return &lane;
  return nullptr;
}

/// Numbers are decimal bit patterns, signed or not.
uint64_t bits_of(const std::string& text, uint32_t bytes) {
  const uint64_t bits = text.starts_with('-') ? static_cast<uint64_t>(std::stoll(text)) : std::stoull(text);
  return bytes == 8 ? bits : bits & ((uint64_t{1} << (bytes * 8)) - 1);
}

bool lane_matches(const std::string& pattern, const Lane& lane, uint64_t bits) {
  const uint64_t quiet = lane.bytes == 4 ? 0x7fc0'0000 : 0x7ff8'0000'0000'0000;
  const uint64_t sign = uint64_t{1} << (lane.bytes * 8 - 1);
  if (pattern == "nan:canonical") return lane.floating && (bits & ~sign) == quiet;
  if (pattern == "nan:arithmetic") return lane.floating && (bits & quiet) == quiet;
  return bits == bits_of(pattern, lane.bytes);
}

bool vector_matches(const Json& pattern, const Slot* slots) {
  const Lane* lane = lane_of(pattern.at("lane_type"));
  const Json& lanes = pattern.at("value");
  if (!lane || lanes.size() * lane->bytes != 16) return false;
  for (size_t i = 0; i < lanes.size(); ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, reinterpret_cast<const char*>(slots) + i * lane->bytes, lane->bytes);
    if (!lane_matches(lanes[i], *lane, bits)) return false;
  }
  return true;
}

/// A reference's pattern is a type alone (not null), "null", or for externref the host's number.
bool reference_matches(const Json& pattern, ValType type, Slot ref) {
  const std::string want = pattern.at("type");
  if (want == "refnull") return ref == 0;
  if (want != name_of(type)) return false;
  if (!pattern.contains("value")) return ref != 0;
  const std::string value = pattern["value"];
  if (value == "null") return ref == 0;
  return type == ValType::ExternRef && ref == ExternRef::of(bits_of(value, 8)).raw;
}

}  // namespace

Result<void> put_argument(const Json& constant, std::vector<Slot>& slots) {
  const std::string type = constant.at("type");
  if (type == "v128") {
    const Lane* lane = lane_of(constant.at("lane_type"));
    const Json& lanes = constant.at("value");
    if (!lane || lanes.size() * lane->bytes != 16) return Error{"no such vector: " + constant.dump()};
    std::array<Slot, 2> vector{};
    for (size_t i = 0; i < lanes.size(); ++i) {
      const uint64_t bits = bits_of(lanes[i], lane->bytes);
      std::memcpy(reinterpret_cast<char*>(vector.data()) + i * lane->bytes, &bits, lane->bytes);
    }
    slots.insert(slots.end(), vector.begin(), vector.end());
    return {};
  }
  const std::string value = constant.at("value");
  if (value == "null") {
    slots.push_back(0);
  } else if (type == "externref") {
    slots.push_back(ExternRef::of(bits_of(value, 8)).raw);
  } else if (const Lane* lane = lane_of(type); lane && lane->bytes >= 4) {
    slots.push_back(bits_of(value, lane->bytes));
  } else {
    return Error{"no such argument: " + constant.dump()};
  }
  return {};
}

bool matches(const Json& pattern, ValType type, const Slot* slots) {
  const std::string want = pattern.at("type");
  if (want == "either") {
    for (const Json& choice : pattern.at("values"))
      if (matches(choice, type, slots)) return true;
    return false;
  }
  if (is_reference(type)) return reference_matches(pattern, type, *slots);
  if (want != name_of(type)) return false;
  if (type == ValType::V128) return vector_matches(pattern, slots);
  const Lane* lane = lane_of(want);
  return lane_matches(pattern.at("value"), *lane, *slots);
}

std::string to_text(ValType type, const Slot* slots) {
  const std::string name = name_of(type);
  if (is_reference(type) && *slots == 0) return name + ":null";
  char text[64];
  if (type == ValType::V128)
    std::snprintf(text, sizeof text, ":0x%016lx'%016lx", slots[1], slots[0]);
  else
    std::snprintf(text, sizeof text, ":0x%lx", *slots);
  return name + text;
}

std::string to_text(const Json& pattern) {
  if (pattern.at("type") == "either") {
    std::string text;
    for (const Json& choice : pattern.at("values")) text += (text.empty() ? "" : " or ") + to_text(choice);
    return text;
  }
  std::string text = pattern.at("type");
  if (pattern.contains("lane_type")) text.append(1, '.').append(pattern["lane_type"].get<std::string>());
  if (!pattern.contains("value")) return text;
  const Json& value = pattern["value"];
  if (value.is_string()) return text.append(1, ':').append(value.get<std::string>());
  for (const Json& lane : value) text.append(1, ' ').append(lane.get<std::string>());
  return text;
}

}  // namespace krait::spec
