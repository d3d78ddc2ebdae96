// The blob as bytes: what a code cache keeps.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "jit/image.hpp"
#include "jit/lir.hpp"

namespace krait::jit {

/// Changes whenever other code or another layout comes out of the same module.
constexpr uint32_t CompilerVersion = 1;

std::vector<std::byte> serialize(const Blob& blob, const engine::Module& module, const CpuFeatures& cpu);

/// Fails where the bytes are of another version, CPU or module shape, or cut short. That they belong to the module and
/// are undamaged is for the caller to know (a hash of both in the cache's key and entry).
Result<Blob> deserialize(std::span<const std::byte> bytes, const engine::Module& module, const CpuFeatures& cpu);

}  // namespace krait::jit
