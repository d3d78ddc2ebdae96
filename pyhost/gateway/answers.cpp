// What a request is answered with. What went wrong is always JSON: {"error": KIND, "message": ...}, with the kind in X-Krait-Error too,
// so that a proxy can tell a function's failure from ours without reading the body.
#include "pyhost/gateway/answers.hpp"

#include "pyhost/calls/report.hpp"

namespace krait::pyhost::gateway {

using http::Response;
using nlohmann::json;

namespace {

constexpr unsigned RetrySeconds = 1;

}  // namespace

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}
std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Response as_json(unsigned status, const json& body) {
  // What a guest printed need not be UTF-8.
  return {status, {{"Content-Type", "application/json"}}, body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

Response failure_with(unsigned status, const char* kind, json body) {
  body["error"] = kind;
  Response response = as_json(status, body);
  response.fields.emplace_back("X-Krait-Error", kind);
  if (status == 503) response.fields.emplace_back("Retry-After", std::to_string(RetrySeconds));
  return response;
}
Response failure(unsigned status, const char* kind, const std::string& message) {
  return failure_with(status, kind, {{"message", message}});
}

Response refused(const Refusal& refusal) {
  switch (refusal.kind) {
    case Refusal::Kind::Invalid:
      return failure(400, "invalid", refusal.message);
    case Refusal::Kind::Unknown:
      return failure(404, "unknown", refusal.message);
    case Refusal::Kind::Full:
      return failure(503, "full", refusal.message);
    case Refusal::Kind::Ending:
      return failure(503, "ending", refusal.message);
    case Refusal::Kind::TimedOut:
      return failure(504, "timeout", refusal.message);
    case Refusal::Kind::Cancelled:
      return failure(503, "cancelled", refusal.message);
    case Refusal::Kind::Broken:
      break;
  }
  return failure(500, "broken", refusal.message);
}

namespace {

const char* error_of(CallEnd end) {
  switch (end) {
    case CallEnd::Returned:
      return "status";
    case CallEnd::Raised:
      return "exception";
    case CallEnd::Trapped:
      return "trap";
    case CallEnd::TimedOut:
      return "timeout";
    case CallEnd::Cancelled:
      return "cancelled";
    case CallEnd::Failed:
      break;
  }
  return "failed";
}

unsigned status_of(CallEnd end) {
  if (end == CallEnd::TimedOut) return 504;
  return end == CallEnd::Cancelled ? 503 : 500;
}

/// "queued;dur=0.012": milliseconds, for the browser's and everybody else's tools.
std::string server_timing(const CallTimes& times) {
  std::string text;
  const auto add = [&](const char* name, uint64_t ns) {
    char one[64];
    std::snprintf(one, sizeof one, "%s%s;dur=%.3f", text.empty() ? "" : ", ", name, static_cast<double>(ns) / 1e6);
    text += one;
  };
  add("queued", times.queued);
  add("start", times.start);
  add("run", times.run);
  add("reset", times.reset);
  add("cpu", times.cpu);
  return text;
}

}  // namespace

Response answer_of(CallReport report, bool whole) {
  Response response;
  if (report.ok()) {
    response = whole ? as_json(200, json_of(report))
                     : Response{200, {{"Content-Type", "application/octet-stream"}}, text_of(report.output)};
  } else {
    json body = summary_of(report);
    std::string message = report.error;
    if (report.failure) {
      body["type"] = report.failure->type;
      body["traceback"] = report.failure->traceback;
      message = report.failure->message;
    } else if (message.empty()) {
      message = "the function returned " + std::to_string(report.status);
    }
    body["message"] = message;
    response = failure_with(status_of(report.end), error_of(report.end), std::move(body));
  }
  response.fields.emplace_back("X-Krait-Call", std::to_string(report.id));
  response.fields.emplace_back("X-Krait-Peak-Memory", std::to_string(report.peak_memory));
  response.fields.emplace_back("Server-Timing", server_timing(report.times));
  return response;
}

Response wrong_method(const char* allowed) {
  Response response = failure(405, "method", std::string("this takes ") + allowed);
  response.fields.emplace_back("Allow", allowed);
  return response;
}

}  // namespace krait::pyhost::gateway
