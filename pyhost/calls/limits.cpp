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
bool tighter(std::string_view, bool a, bool b) { return a || b; }

/// Why `value` is none of the limit's, or null; else `to` has it.
const char* take(std::string_view name, const json& value, std::optional<uint64_t>& to) {
  const bool zero = zero_is_allowed(name);
  if (!value.is_number_unsigned() || (value.get<uint64_t>() == 0 && !zero)) return zero ? "a whole number" : "a whole number above 0";
  to = value.get<uint64_t>();
  return nullptr;
}
const char* take(std::string_view, const json& value, std::optional<bool>& to) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > 1) return "0 or 1";
  to = value.get<uint64_t>() == 1;
  return nullptr;
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
    const char* wanted = nullptr;
#define LIMIT(type, name, fallback, unit, what)      \
  if (key == #name) {                                \
    known = true;                                    \
    wanted = take(key, value, changes.name);         \
  }
    KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
    if (!known) return Error{"there is no limit \"" + key + "\""};
    if (wanted) return Error{"the limit \"" + key + "\" must be " + wanted};
  }
  return changes;
}

std::string LimitChanges::to_json() const {
  if (empty()) return {};
  json object = json::object();
#define LIMIT(type, name, value, unit, what) \
  if (name) object[#name] = uint64_t{*name};
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  return object.dump();
}

}  // namespace krait::pyhost
