// Private to gateway/: state and shared files, as functions have them.
#pragma once

#include "pyhost/gateway/target.hpp"
#include "pyhost/http/message.hpp"
#include "pyhost/state/local_state.hpp"

namespace krait::pyhost::gateway {

/// GET, HEAD, PUT and DELETE of /s/USER/KEY and /file/USER/PATH, GET of /s/USER and /file/USER. What is put is durable when it is
/// answered.
http::Response values(LocalState& state, const http::Request& request, const Target& target);
/// The target of Faasm's /file, which has the path in the field FilePath: of the user "python".
Target faasm_file(const std::string& path);

}  // namespace krait::pyhost::gateway
