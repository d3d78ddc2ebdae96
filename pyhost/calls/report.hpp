// A call's report as JSON, for the command line and HTTP.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "pyhost/calls/service.hpp"

namespace krait::pyhost {

/// What every answer has: status, end, stdout, stderr and what of them was dropped, times_ns, peak_memory, shard. Texts may
/// be no UTF-8: dump with error_handler_t::replace.
nlohmann::json summary_of(const CallReport& report);
/// All of it: with `output`, or `output_base64` where that is no UTF-8; `exception` and `error` where there are.
nlohmann::json json_of(const CallReport& report);

}  // namespace krait::pyhost
