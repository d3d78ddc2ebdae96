// Values as wast2json writes them, against values as the engine lays them out.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/types.hpp"

namespace krait::spec {

using Json = nlohmann::json;

/// Appends the slots of a constant: {"type": "i32", "value": "7"}.
Result<void> put_argument(const Json& constant, std::vector<engine::Slot>& slots);

/// True if the value of that type at `slots` is one that the pattern allows: a constant, a class of NaNs, a kind
/// of reference, or `either` of several.
bool matches(const Json& pattern, engine::ValType type, const engine::Slot* slots);

/// "i32:0x7", "v128:0x0 0x1", "funcref:null"
std::string to_text(engine::ValType type, const engine::Slot* slots);
/// The pattern on one line.
std::string to_text(const Json& pattern);

}  // namespace krait::spec
