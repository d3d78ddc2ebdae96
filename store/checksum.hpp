// A check of contents against accidents: XXH3, some 10 GB/s and more. Against people there is Digest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace krait::store {

uint64_t checksum_of(std::span<const std::byte> bytes, uint64_t seed = 0);

}  // namespace krait::store
