// One function a route.
#include "pyhost/gateway/gateway.hpp"

#include <nlohmann/json.hpp>

#include "io/time.hpp"
#include "pyhost/gateway/answers.hpp"
#include "pyhost/gateway/started.hpp"
#include "pyhost/gateway/target.hpp"
#include "pyhost/gateway/values.hpp"

namespace krait::pyhost {
namespace {

using namespace gateway;
using http::Request;
using http::Response;
using nlohmann::json;
using Kind = store::FunctionKind;

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

bool wants_whole(const Request& request) {
  const std::string* accept = http::find_field(request.fields, "Accept");
  return accept && accept->find("application/json") != accept->npos;
}

/// POST /call/USER/FUNC, which waits, and /start/USER/FUNC, which does not.
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
  if (target.path[0] == "start") return start(service, std::move(spec));
  auto report = service.call(std::move(spec));
  return report ? answer_of(std::move(*report), wants_whole(request)) : refused(report.error());
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

/// What there is of state, or nothing where the target is none of its.
std::optional<Response> route_state(LocalState* state, const Request& request, const Target& target) {
  const std::vector<std::string>& path = target.path;
  if (!state || (path[0] != "s" && path[0] != "file")) return std::nullopt;
  if (path.size() > 1) return values(*state, request, target);
  const std::string* file = path[0] == "file" ? http::find_field(request.fields, "FilePath") : nullptr;
  if (!file) return std::nullopt;
  return values(*state, request, faasm_file(*file));
}

Response route(Service& service, LocalState* state, const Request& request) {
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
  if (path.size() == 3 && (path[0] == "call" || path[0] == "start")) return method == "POST" ? call(service, request, *target) : wrong_method("POST");
  if (path.size() == 3 && path[0] == "calls")
    return reads || method == "DELETE" ? started(service, request, *target, wants_whole(request)) : wrong_method("GET, HEAD, DELETE");
  if (path.size() == 1 && path[0].empty()) return method == "POST" ? faasm_call(service, request, wants_whole(request)) : wrong_method("POST");
  if (path.size() == 3 && (path[0] == "p" || path[0] == "f")) {
    const Kind kind = path[0] == "p" ? Kind::Python : Kind::Wasm;
    if (method == "PUT") return put(service, request, *target, kind);
    if (method == "DELETE") return remove(service, *target, kind);
    return reads ? get(service, *target, kind) : wrong_method("GET, HEAD, PUT, DELETE");
  }
  if (auto answer = route_state(state, request, *target)) return std::move(*answer);
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
  if (!log_) return route(service_, state_.get(), request);
  const int64_t begin = io::now_ns();
  Response response = route(service_, state_.get(), request);
  log_(log_line(request, response, io::now_ns() - begin));
  return response;
}

}  // namespace krait::pyhost
