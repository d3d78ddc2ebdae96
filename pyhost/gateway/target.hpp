// Private to gateway/: a request's target, taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace krait::pyhost::gateway {

struct Target {
  std::vector<std::string> path;                            ///< percent-decoded segments
  std::vector<std::pair<std::string, std::string>> query;   ///< decoded, in order
};

/// Nothing for what is no origin-form target ("/path?query") or has a broken escape.
std::optional<Target> parse_target(std::string_view text);

}  // namespace krait::pyhost::gateway
