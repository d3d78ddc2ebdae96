// One function a route. What went wrong is always JSON: {"error": KIND, "message": ...}, with the kind in X-Krait-Error too, so
// that a proxy can tell a function's failure from ours without reading the body.
#include "pyhost/gateway/gateway.hpp"

#include <nlohmann/json.hpp>

#include "io/time.hpp"
#include "pyhost/calls/report.hpp"
#include "pyhost/gateway/target.hpp"

namespace krait::pyhost {
namespace {

using gateway::Target;
using http::Request;
using http::Response;
using nlohmann::json;
using Kind = store::FunctionKind;

constexpr unsigned RetrySeconds = 1;

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

/// The query but for `known`, as limits.
Result<LimitChanges> limits_of(const Target& target, std::string_view known = {}) {
  std::string text;
  for (const auto& [name, value] : target.query) {
    if (name == known) continue;
    const bool number = !value.empty() && value.size() < 20 && value.find_first_not_of("0123456789") == value.npos;
    if (!number) return Error{"the parameter " + json(name).dump(-1, ' ', true, json::error_handler_t::replace) + " is no number"};
    text += (text.empty() ? "{" : ",") + json(name).dump(-1, ' ', true, json::error_handler_t::replace) + ":" +
            std::to_string(std::strtoull(value.c_str(), nullptr, 10));
  }
  return LimitChanges::parse(text.empty() ? text : text + "}");
}

json describe(const store::FunctionInfo& info) {
  return {{"user", info.user},
          {"function", info.name},
          {"kind", store::name_of(info.kind)},
          {"bytes", info.size},
          {"sha256", info.digest.hex()},
          {"uploaded", info.uploaded}};
}

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

/// `whole`: JSON with everything also where the call went well.
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

Response call(Service& service, const Request& request, const Target& target) {
  CallSpec spec;
  spec.user = target.path[1];
  spec.function = target.path[2];
  for (const auto& [name, value] : target.query)
    if (name == "entry") spec.entry = value;
  auto limits = limits_of(target, "entry");
  if (!limits) return failure(400, "invalid", limits.error().message);
  spec.limits = *limits;
  spec.input = bytes_of(request.body);
  auto report = service.call(std::move(spec));
  const std::string* accept = http::find_field(request.fields, "Accept");
  const bool whole = accept && accept->find("application/json") != accept->npos;
  return report ? answer_of(std::move(*report), whole) : refused(report.error());
}

Response put(Service& service, const Request& request, const Target& target, Kind kind) {
  auto limits = limits_of(target);
  if (!limits) return failure(400, "invalid", limits.error().message);
  const auto before = service.get(target.path[1], target.path[2]);
  const bool is_new = before.ok() && !before->has_value();
  const auto info = service.upload({target.path[1], target.path[2], kind, bytes_of(request.body), *limits});
  return info ? as_json(is_new ? 201 : 200, describe(*info)) : refused(info.error());
}

/// The function where it is of `kind`, else the answer.
Result<store::Function, Response> find(Service& service, const Target& target, Kind kind) {
  auto found = service.get(target.path[1], target.path[2]);
  if (!found) return refused(found.error());
  if (!*found || (*found)->info.kind != kind)
    return failure(404, "unknown", std::string("there is no ") + store::name_of(kind) + " function " + target.path[1] + "/" + target.path[2]);
  return std::move(**found);
}

Response get(Service& service, const Target& target, Kind kind) {
  auto found = find(service, target, kind);
  if (!found) return std::move(found.error());
  const char* type = kind == Kind::Python ? "text/x-python; charset=utf-8" : "application/wasm";
  return {200, {{"Content-Type", type}, {"ETag", '"' + found->info.digest.hex() + '"'}}, text_of(found->contents)};
}

Response remove(Service& service, const Target& target, Kind kind) {
  if (auto found = find(service, target, kind); !found) return std::move(found.error());
  const auto removed = service.remove(target.path[1], target.path[2]);
  if (!removed) return refused(removed.error());
  return *removed ? Response{204, {}, ""} : failure(404, "unknown", "it has just been removed");
}

Response list(Service& service, const Target& target) {
  const auto listing = service.list(target.path.size() > 1 ? target.path[1] : "");
  if (!listing) return refused(listing.error());
  json functions = json::array(), damaged = json::array();
  for (const auto& info : listing->functions) functions.push_back(describe(info));
  for (const auto& error : listing->damaged) damaged.push_back(error.message);
  return as_json(200, {{"functions", functions}, {"damaged", damaged}});
}

Response stats(Service& service) {
  const ServiceStats s = service.stats();
  return as_json(200, {{"queued", s.queued},
                       {"running", s.running},
                       {"waiting", s.waiting},
                       {"sandboxes", s.sandboxes},
                       {"idle_sandboxes", s.idle_sandboxes},
                       {"submitted", s.submitted},
                       {"ended", s.ended},
                       {"refused", s.refused}});
}

Response wrong_method(const char* allowed) {
  Response response = failure(405, "method", std::string("this takes ") + allowed);
  response.fields.emplace_back("Allow", allowed);
  return response;
}

Response route(Service& service, const Request& request) {
  const auto target = gateway::parse_target(request.target);
  if (!target) return failure(400, "invalid", "the target is no path, or has a broken %-escape");
  const std::vector<std::string>& path = target->path;
  const std::string& method = request.method;
  const bool reads = method == "GET" || method == "HEAD";
  if (path.size() == 1 && path[0] == "ping")
    return reads ? Response{200, {{"Content-Type", "text/plain"}}, "pong\n"} : wrong_method("GET, HEAD");
  if (path.size() == 1 && path[0] == "stats") return reads ? stats(service) : wrong_method("GET, HEAD");
  if ((path.size() == 1 || path.size() == 2) && path[0] == "functions")
    return reads ? list(service, *target) : wrong_method("GET, HEAD");
  if (path.size() == 3 && path[0] == "call") return method == "POST" ? call(service, request, *target) : wrong_method("POST");
  if (path.size() == 3 && (path[0] == "p" || path[0] == "f")) {
    const Kind kind = path[0] == "p" ? Kind::Python : Kind::Wasm;
    if (method == "PUT") return put(service, request, *target, kind);
    if (method == "DELETE") return remove(service, *target, kind);
    return reads ? get(service, *target, kind) : wrong_method("GET, HEAD, PUT, DELETE");
  }
  return failure(404, "unknown", "there is nothing at this path: see /ping, /p/USER/FUNC, /f/USER/FUNC, /call/USER/FUNC, /functions");
}

std::string log_line(const Request& request, const Response& response, int64_t ns) {
  char stamp[40];
  const time_t now = time(nullptr);
  tm parts = {};
  gmtime_r(&now, &parts);
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, " %u %zu %.3fms", response.status, response.body.size(), static_cast<double>(ns) / 1e6);
  // Quoted as JSON: a target may hold anything but blanks.
  return std::string(stamp) + " " + request.method + " " + json(request.target).dump(-1, ' ', true, json::error_handler_t::replace) + numbers;
}

}  // namespace

Response Gateway::operator()(const Request& request) {
  if (!log_) return route(service_, request);
  const int64_t begin = io::now_ns();
  Response response = route(service_, request);
  log_(log_line(request, response, io::now_ns() - begin));
  return response;
}

}  // namespace krait::pyhost
