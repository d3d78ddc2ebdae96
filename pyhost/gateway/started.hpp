// Private to gateway/: calls that are started by one request and asked for by others.
#pragma once

#include "pyhost/calls/service.hpp"
#include "pyhost/gateway/target.hpp"
#include "pyhost/http/message.hpp"

namespace krait::pyhost::gateway {

/// POST /start/USER/FUNC: 202, and where to ask.
http::Response start(Service& service, CallSpec spec);
/// GET (?wait_ms=N), HEAD and DELETE /calls/USER/ID. `whole` as answer_of().
http::Response started(Service& service, const http::Request& request, const Target& target, bool whole);
/// POST /: a message of Faasm's as JSON, to be called, to be started ("async") or to be asked for ("status", "id").
http::Response faasm_call(Service& service, const http::Request& request, bool whole);

}  // namespace krait::pyhost::gateway
