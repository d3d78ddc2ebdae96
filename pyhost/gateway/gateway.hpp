// HTTP to Service: functions are uploaded, called, listed and removed.
//
//   GET    /ping                   pong
//   PUT    /p/USER/FUNC            Python source            201 or 200, as JSON; 400 with Python's own text
//   PUT    /f/USER/FUNC            a wasm module
//   GET    /p/USER/FUNC            what was uploaded        DELETE removes it
//   POST   /call/USER/FUNC         the input                200 and the output
//   POST   /start/USER/FUNC        the input                202; then GET and DELETE of /calls/USER/ID
//   PUT    /s/USER/KEY             a value of state         GET, DELETE; GET /s/USER: the keys
//   PUT    /file/USER/PATH         a shared file (faasm://) GET, DELETE; GET /file/USER
//   POST   /                       Faasm's messages
//   GET    /functions[/USER]       what there is            GET /stats: counters
//
// README.md has the parameters and the errors.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pyhost/calls/service.hpp"
#include "pyhost/http/message.hpp"

namespace krait::pyhost {

class Gateway {
 public:
  /// `service` must outlive it. `state` is what its calls have; null: there are no routes to it. `log` gets a line for each request, from
  /// all shards, without its newline; empty for none.
  explicit Gateway(Service& service, std::shared_ptr<LocalState> state = nullptr, std::function<void(const std::string&)> log = {})
      : service_(service), state_(std::move(state)), log_(std::move(log)) {}

  /// For http::Server. In a coroutine; may park. Any shard.
  http::Response operator()(const http::Request& request);

 private:
  Service& service_;
  std::shared_ptr<LocalState> state_;
  std::function<void(const std::string&)> log_;
};

}  // namespace krait::pyhost
