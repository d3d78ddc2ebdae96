// Private to gateway/: answers to requests.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pyhost/calls/service.hpp"
#include "pyhost/http/message.hpp"

namespace krait::pyhost::gateway {

std::vector<std::byte> bytes_of(std::string_view text);
std::string text_of(std::span<const std::byte> bytes);

http::Response as_json(unsigned status, const nlohmann::json& body);
/// `body` with "error": `kind`, which is in X-Krait-Error too.
http::Response failure_with(unsigned status, const char* kind, nlohmann::json body);
http::Response failure(unsigned status, const char* kind, const std::string& message);
http::Response refused(const Refusal& refusal);
http::Response wrong_method(const char* allowed);

/// A call's; `whole`: JSON with everything also where it went well.
http::Response answer_of(CallReport report, bool whole);

}  // namespace krait::pyhost::gateway
