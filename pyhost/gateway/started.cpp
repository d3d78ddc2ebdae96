// Calls that a client starts and asks for later; and Faasm's own form of both, which its older clients speak. A result waits for its
// reader as long as the service keeps it, and may be read more than once: an answer can get lost.
#include "pyhost/gateway/started.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "pyhost/gateway/answers.hpp"

namespace krait::pyhost::gateway {

using http::Request;
using http::Response;
using nlohmann::json;

namespace {

Response unknown_call(const std::string& id) { return failure(404, "unknown", "there is no call " + id + ", or its result is gone"); }

template <typename T>
std::optional<T> number_of(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The user's call of this id.
std::optional<CallId> find_call(const Service& service, const std::string& user, const std::string& id) {
  const auto number = number_of<CallId>(id);
  if (!number || service.user_of(*number) != user) return std::nullopt;
  return number;
}

Response not_ended(CallId id, CallState state) {
  return as_json(202, {{"call", id}, {"state", state == CallState::Queued ? "queued" : "running"}});
}

}  // namespace

Response start(Service& service, CallSpec spec) {
  const std::string user = spec.user;
  const auto id = service.submit(std::move(spec));
  if (!id) return refused(id.error());
  Response response = not_ended(*id, CallState::Queued);
  response.fields.emplace_back("Location", "/calls/" + user + "/" + std::to_string(*id));
  return response;
}

Response started(Service& service, const Request& request, const Target& target, bool whole) {
  const auto id = find_call(service, target.path[1], target.path[2]);
  if (!id) return unknown_call(target.path[2]);
  if (request.method == "DELETE") {
    if (!service.drop(*id)) (void)service.cancel(*id);
    return {204, {}, ""};
  }
  std::optional<uint32_t> wait_ms = 0;
  for (const auto& [name, value] : target.query) wait_ms = name == "wait_ms" ? number_of<uint32_t>(value) : std::nullopt;
  if (!wait_ms) return failure(400, "invalid", "the one parameter is wait_ms, a number");
  auto report = service.wait(*id, io::Deadline::in(int64_t{*wait_ms} * 1'000'000));
  if (report) return answer_of(std::move(*report), whole);
  if (report.error().kind == Refusal::Kind::Unknown) return unknown_call(target.path[2]);
  if (report.error().kind != Refusal::Kind::TimedOut) return refused(report.error());
  return not_ended(*id, service.state(*id).value_or(CallState::Running));
}

namespace {

Response as_text(std::string text) { return {200, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)}; }

/// "SUCCESS: output", "FAILED: why" or "RUNNING".
Response faasm_status(Service& service, CallId id) {
  const auto report = service.wait(id, io::Deadline::in(0));
  if (!report) return report.error().kind == Refusal::Kind::TimedOut ? as_text("RUNNING") : refused(report.error());
  if (report->ok()) return as_text("SUCCESS: " + text_of(report->output));
  std::string why = report->failure ? report->failure->type + ": " + report->failure->message : report->error;
  if (why.empty()) why = "Call failed (return value=" + std::to_string(report->status) + ")";
  return as_text("FAILED: " + why);
}

}  // namespace

Response faasm_call(Service& service, const Request& request, bool whole) {
  const json message = json::parse(request.body, nullptr, false);
  if (!message.is_object()) return failure(400, "invalid", "the body is a JSON object: user, function, input_data, async, status, id");
  const auto text = [&](const char* name) {
    const auto found = message.find(name);
    return found != message.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto flag = [&](const char* name) {
    const auto found = message.find(name);
    return found != message.end() && found->is_boolean() && found->get<bool>();
  };
  const bool python = flag("python");
  CallSpec spec;
  spec.user = text(python ? "py_user" : "user");
  spec.function = text(python ? "py_func" : "function");
  spec.input = bytes_of(text("input_data"));
  if (const std::string entry = text("py_entry"); !entry.empty()) spec.entry = entry;
  if (flag("status")) {
    const auto found = message.find("id");
    const std::string id = found == message.end() ? "" : found->is_string() ? found->get<std::string>() : found->dump();
    const auto call = find_call(service, spec.user, id);
    return call ? faasm_status(service, *call) : unknown_call(id);
  }
  if (flag("async")) {
    const auto id = service.submit(std::move(spec));
    return id ? as_text(std::to_string(*id)) : refused(id.error());
  }
  auto report = service.call(std::move(spec));
  return report ? answer_of(std::move(*report), whole) : refused(report.error());
}

}  // namespace krait::pyhost::gateway
