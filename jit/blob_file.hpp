// A Blob as a file: made once, then mapped and run where it lies.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "jit/code_cache.hpp"
#include "jit/image.hpp"

namespace krait::jit {

/// What the code in a file was made from and by. All of it is in the file's header.
struct BlobIdentity {
  CodeKey key{};
  uint32_t cpu = 0;  ///< CpuFeatures::bits()
};

/// A text of what code depends on beside the module: a hash of the compiler's sources, the assembler, the CPU's features.
std::string compiler_identity(uint32_t cpu);

/// The file's bytes; the same for the same Blob.
std::vector<std::byte> to_file(const BlobView& blob, const engine::Module& module, const BlobIdentity& identity);

/// Maps the file: tables read-only, code read-execute. Every byte is checked first (checksum), then every offset and count
/// against the module; an error says what is wrong. The descriptor stays the caller's.
Result<MappedBlob> map_file(int fd, const engine::Module& module, const BlobIdentity& identity);

}  // namespace krait::jit
