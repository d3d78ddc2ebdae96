// Keys as CallReport has them; times in nanoseconds, sizes in bytes.
#include "pyhost/calls/report.hpp"

#include <nlohmann/json.hpp>

namespace krait::pyhost {
namespace {

using nlohmann::json;

bool is_utf8(const std::string& bytes) {
  // The library's own check, which it makes when it writes a string.
  return json(bytes).dump(-1, ' ', false, json::error_handler_t::ignore) == json(bytes).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string base64(std::string_view bytes) {
  constexpr char Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? Digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace

json summary_of(const CallReport& report) {
  return {{"status", report.status},
          {"end", name_of(report.end)},
          {"stdout", report.out},
          {"stderr", report.err},
          {"stdout_dropped", report.dropped_out},
          {"stderr_dropped", report.dropped_err},
          {"times_ns",
           {{"queued", report.times.queued},
            {"start", report.times.start},
            {"run", report.times.run},
            {"reset", report.times.reset},
            {"cpu", report.times.cpu}}},
          {"peak_memory", report.peak_memory},
          {"shard", report.shard}};
}

json json_of(const CallReport& report) {
  json object = summary_of(report);
  const std::string output(reinterpret_cast<const char*>(report.output.data()), report.output.size());
  const bool text = is_utf8(output);
  object[text ? "output" : "output_base64"] = text ? output : base64(output);
  if (report.failure)
    object["exception"] = {{"type", report.failure->type}, {"message", report.failure->message}, {"traceback", report.failure->traceback}};
  if (!report.error.empty()) object["error"] = report.error;
  return object;
}

}  // namespace krait::pyhost
