// /tmp/perf-PID.map, by which perf names our code.
#pragma once

#include "jit/image.hpp"

namespace krait::jit {

/// Appends the image's functions. Thread-safe.
void write_perf_map(const engine::Module& module, const Image& image);

}  // namespace krait::jit
