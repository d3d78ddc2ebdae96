// Blob <-> bytes: a header, then the arrays, each 8-aligned; native byte order, since the code is native too.
#include "jit/blob.hpp"

#include <algorithm>
#include <cstring>

namespace krait::jit {
namespace {

constexpr char Magic[8] = {'k', 'r', 'a', 'i', 't', 'j', 'i', 't'};

struct Header {
  char magic[8];
  uint32_t version, cpu;
  uint32_t functions, sites, types, code;  // element counts
};

size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

template <typename T>
void put(std::vector<std::byte>& out, const T* items, size_t count) {
  const size_t at = out.size(), bytes = count * sizeof(T);
  out.resize(at + padded(bytes));
  if (bytes) std::memcpy(out.data() + at, items, bytes);
}

/// Takes an array off the front; false where there is not as much.
template <typename T>
bool take(std::span<const std::byte>& in, size_t count, std::vector<T>& out) {
  const size_t bytes = count * sizeof(T);
  if (in.size() < padded(bytes)) return false;
  out.resize(count);
  if (bytes) std::memcpy(out.data(), in.data(), bytes);
  in = in.subspan(padded(bytes));
  return true;
}

bool consistent(const Blob& blob, const engine::Module& module) {
  uint32_t last = 0;
  for (const FunctionRecord& r : blob.functions) {
    if (r.begin < last || r.end < r.begin || r.end > blob.code.size()) return false;
    last = r.begin;
  }
  for (size_t t = 0; t < module.types.size(); ++t)
    if (blob.enter_of_type[t] != engine::NoIndex && blob.enter_of_type[t] >= blob.code.size()) return false;
  return std::is_sorted(blob.sites.begin(), blob.sites.end(), [](const Site& a, const Site& b) { return a.offset < b.offset; });
}

}  // namespace

std::vector<std::byte> serialize(const Blob& blob, const engine::Module& module, const CpuFeatures& cpu) {
  Header header{};
  std::memcpy(header.magic, Magic, sizeof Magic);
  header.version = CompilerVersion;
  header.cpu = cpu.bits();
  header.functions = static_cast<uint32_t>(blob.functions.size());
  header.sites = static_cast<uint32_t>(blob.sites.size());
  header.types = static_cast<uint32_t>(module.types.size());
  header.code = static_cast<uint32_t>(blob.code.size());
  std::vector<std::byte> out;
  put(out, &header, 1);
  put(out, blob.functions.data(), blob.functions.size());
  put(out, blob.sites.data(), blob.sites.size());
  put(out, blob.enter_of_type.data(), blob.enter_of_type.size());
  put(out, blob.code.data(), blob.code.size());
  return out;
}

Result<Blob> deserialize(std::span<const std::byte> bytes, const engine::Module& module, const CpuFeatures& cpu) {
  Header header;
  if (bytes.size() < sizeof header) return Error{"machine code: cut short"};
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes = bytes.subspan(padded(sizeof header));
  if (std::memcmp(header.magic, Magic, sizeof Magic) != 0) return Error{"machine code: not made by krait"};
  if (header.version != CompilerVersion) return Error{"machine code: made by another version of the compiler"};
  if (header.cpu != cpu.bits()) return Error{"machine code: made for another CPU"};
  if (header.functions != module.func_types.size() || header.types != module.types.size())
    return Error{"machine code: made for another module"};
  Blob blob;
  if (!take(bytes, header.functions, blob.functions) || !take(bytes, header.sites, blob.sites) ||
      !take(bytes, header.types, blob.enter_of_type) || !take(bytes, header.code, blob.code))
    return Error{"machine code: cut short"};
  if (!consistent(blob, module)) return Error{"machine code: damaged"};
  return blob;
}

}  // namespace krait::jit
