// One table makes the parser, the printer and the rules of combination: a limit that is added to it is everywhere.
#include "pyhost/calls/limits.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace krait::pyhost {
namespace {

using nlohmann::json;

/// 0 stands for "none" in these, which is wider than any number.
bool zero_is_none(std::string_view name) { return name == "wall_ms" || name == "cpu_ms"; }
bool zero_is_allowed(std::string_view name) { return zero_is_none(name) || name == "grace_ms" || name == "stdio_bytes" || name == "sockets"; }

uint64_t tighter(std::string_view name, uint64_t a, uint64_t b) {
  if (zero_is_none(name) && (a == 0 || b == 0)) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

CallLimits LimitChanges::over(CallLimits limits) const {
#define LIMIT(type, name, value, unit, what) \
  if (name) limits.name = *name;
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  return limits;
}

CallLimits LimitChanges::within(CallLimits limits) const {
#define LIMIT(type, name, value, unit, what) \
  if (name) limits.name = tighter(#name, *name, limits.name);
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  return limits;
}

Result<LimitChanges> LimitChanges::parse(std::string_view text) {
  LimitChanges changes;
  if (text.empty()) return changes;
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return Error{"limits are a JSON object, such as {\"wall_ms\": 500}"};
  for (const auto& [key, value] : object.items()) {
    bool known = false;
    const bool fits = value.is_number_unsigned() && (value.get<uint64_t>() != 0 || zero_is_allowed(key));
#define LIMIT(type, name, fallback, unit, what)          \
  if (key == #name) {                                    \
    known = true;                                        \
    if (fits) changes.name = value.get<uint64_t>();      \
  }
    KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
    if (!known) return Error{"there is no limit \"" + key + "\""};
    if (!fits) return Error{"the limit \"" + key + "\" must be a whole number" + (zero_is_allowed(key) ? "" : " above 0")};
  }
  return changes;
}

std::string LimitChanges::to_json() const {
  if (empty()) return {};
  json object = json::object();
#define LIMIT(type, name, value, unit, what) \
  if (name) object[#name] = *name;
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  return object.dump();
}

}  // namespace krait::pyhost
