#define XXH_INLINE_ALL
#include "store/checksum.hpp"

#include <xxhash.h>

namespace krait::store {

uint64_t checksum_of(std::span<const std::byte> bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace krait::store
