// HTTP to Service: functions are uploaded, called, listed and removed.
//
//   GET    /ping                   pong
//   PUT    /p/USER/FUNC            Python source            201 or 200, as JSON; 400 with Python's own text
//   PUT    /f/USER/FUNC            a wasm module
//   GET    /p/USER/FUNC            what was uploaded        DELETE removes it
//   POST   /call/USER/FUNC         the input                200 and the output
//   GET    /functions[/USER]       what there is            GET /stats: counters
//
// README.md has the parameters and the errors.
#pragma once

#include <functional>
#include <string>

#include "pyhost/calls/service.hpp"
#include "pyhost/http/message.hpp"

namespace krait::pyhost {

class Gateway {
 public:
  /// `service` must outlive it. `log` gets a line for each request, from all shards, without its newline; empty for none.
  explicit Gateway(Service& service, std::function<void(const std::string&)> log = {}) : service_(service), log_(std::move(log)) {}

  /// For http::Server. In a coroutine; may park. Any shard.
  http::Response operator()(const http::Request& request);

 private:
  Service& service_;
  std::function<void(const std::string&)> log_;
};

}  // namespace krait::pyhost
