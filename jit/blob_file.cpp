// The file: Header | FunctionRecord[] | Site[] | Landing[] | entry thunk offsets | zeros up to a page | code.
//
// Invariants.
//  1. Nothing is believed before the checksum over the whole file is right: damage is found here, at each map (XXH3 reads
//  10 GB/s from the page cache). It is no defence against who may write the file: who can, runs as us anyway.
//  2. The tables are checked against the module even then, so that a wrong writer cannot make us read or jump outside.
//  3. Only the pages of code are executable, and no mapping of the file is writable.
#include "jit/blob_file.hpp"

#include <asmjit/core/api-config.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "engine/trap.hpp"
#include "jit/code_version.hpp"

namespace krait::jit {
namespace {

constexpr size_t Page = 4096;
constexpr char Magic[8] = {'k', 'r', 'a', 'i', 't', 'C', '0', '1'};
constexpr uint32_t MaxFrame = 1u << 30;

struct Header {
  char magic[8] = {};
  char compiler[64] = {};
  uint8_t key[32] = {};
  uint32_t asmjit = 0, cpu = 0;
  uint64_t module_bytes = 0;
  uint32_t functions = 0, sites = 0, landings = 0, types = 0;
  uint64_t code_offset = 0, code_bytes = 0, file_bytes = 0;
  uint64_t checksum = 0;  ///< XXH3 of all other bytes
};
static_assert(sizeof(Header) == 168 && sizeof(FunctionRecord) == 16 && sizeof(Site) == 8 && sizeof(Landing) == 12);
static_assert(sizeof KRAIT_CODE_VERSION == sizeof Header::compiler + 1);

uint64_t tables_end(const Header& h) {
  return sizeof(Header) + uint64_t{h.functions} * sizeof(FunctionRecord) + uint64_t{h.sites} * sizeof(Site) +
         uint64_t{h.landings} * sizeof(Landing) + uint64_t{h.types} * 4;
}

uint64_t round_up(uint64_t n) { return (n + Page - 1) & ~uint64_t{Page - 1}; }

uint64_t checksum_of(std::span<const std::byte> file) {
  constexpr size_t At = offsetof(Header, checksum);
  const uint64_t head = XXH3_64bits(file.data(), At);
  return XXH3_64bits_withSeed(file.data() + sizeof(Header), file.size() - sizeof(Header), head);
}

/// The header of code for this module, this compiler and this CPU; counts and sizes are left to the caller.
Header header_for(const engine::Module& module, const BlobIdentity& identity) {
  Header h;
  std::memcpy(h.magic, Magic, sizeof h.magic);
  std::memcpy(h.compiler, KRAIT_CODE_VERSION, sizeof h.compiler);
  std::memcpy(h.key, identity.key.data(), sizeof h.key);
  h.asmjit = ASMJIT_LIBRARY_VERSION;
  h.cpu = identity.cpu;
  h.module_bytes = module.bytes().size();
  return h;
}

/// Why the header is not one of a whole file for this module, or null.
const char* wrong_header(const Header& h, const Header& expected, uint64_t size) {
  if (std::memcmp(h.magic, expected.magic, sizeof h.magic) != 0) return "it is no file of code";
  if (h.file_bytes != size) return "it is cut short or too long";
  if (std::memcmp(h.compiler, expected.compiler, sizeof h.compiler) != 0 || h.asmjit != expected.asmjit)
    return "it is of another version of the compiler";
  if (h.cpu != expected.cpu) return "it is for another CPU";
  if (std::memcmp(h.key, expected.key, sizeof h.key) != 0 || h.module_bytes != expected.module_bytes)
    return "it is of another module";
  if (h.code_offset != round_up(tables_end(h)) || h.code_offset > size || size - h.code_offset != h.code_bytes ||
      h.code_bytes > UINT32_MAX)
    return "its sizes contradict each other";
  return nullptr;
}

/// Why the tables do not fit the module and the code, or null.
const char* wrong_tables(const BlobView& blob, const engine::Module& module) {
  const auto code = static_cast<uint32_t>(blob.code.size());
  if (blob.functions.size() != module.func_types.size() || blob.enter_of_type.size() != module.types.size())
    return "its tables are not the module's";
  for (const uint32_t at : blob.enter_of_type)
    if (at != engine::NoIndex && at >= code) return "an entry thunk lies outside";
  uint32_t last = 0;
  for (size_t i = 0; i < blob.functions.size(); ++i) {
    const FunctionRecord& r = blob.functions[i];
    if (r.begin < last || r.end < r.begin || r.end > code || r.frame_bytes > MaxFrame || r.compiled > 1 || r.arguments % 16 != 0)
      return "a function lies outside";
    if (r.compiled && (r.end == r.begin || i < module.imported_funcs || blob.enter_of_type[module.func_types[i]] == engine::NoIndex))
      return "a function has no entry";
    last = r.end;
  }
  last = 0;
  for (const Landing& l : blob.landings) {
    if (l.site < last || l.site > code || l.target >= code || (l.tag != engine::NoIndex && l.tag >= module.tags.size()))
      return "a landing lies outside";
    last = l.site;
  }
  last = 0;
  for (const Site& s : blob.sites) {
    if (s.offset < last || s.offset > code || s.wasm_pc() > module.bytes().size()) return "a site lies outside";
    last = s.offset;
  }
  return nullptr;
}

template <typename T>
std::span<const T> table(const std::byte*& at, uint32_t count) {
  const std::span<const T> out(reinterpret_cast<const T*>(at), count);
  at += out.size_bytes();
  return out;
}

}  // namespace

std::string compiler_identity(uint32_t cpu) {
  return std::string(KRAIT_CODE_VERSION) + " asmjit " + std::to_string(ASMJIT_LIBRARY_VERSION) + " cpu " + std::to_string(cpu);
}

std::vector<std::byte> to_file(const BlobView& blob, const engine::Module& module, const BlobIdentity& identity) {
  Header h = header_for(module, identity);
  h.functions = static_cast<uint32_t>(blob.functions.size());
  h.sites = static_cast<uint32_t>(blob.sites.size());
  h.landings = static_cast<uint32_t>(blob.landings.size());
  h.types = static_cast<uint32_t>(blob.enter_of_type.size());
  h.code_offset = round_up(tables_end(h));
  h.code_bytes = blob.code.size();
  h.file_bytes = h.code_offset + h.code_bytes;
  std::vector<std::byte> file(h.file_bytes);
  std::byte* at = file.data() + sizeof h;
  const auto put = [&](auto span) {
    if (!span.empty()) std::memcpy(at, span.data(), span.size_bytes());
    at += span.size_bytes();
  };
  std::memcpy(file.data(), &h, sizeof h);
  put(blob.functions);
  put(blob.sites);
  put(blob.landings);
  put(blob.enter_of_type);
  at = file.data() + h.code_offset;
  put(blob.code);
  h.checksum = checksum_of(file);
  std::memcpy(file.data(), &h, sizeof h);
  return file;
}

Result<MappedBlob> map_file(int fd, const engine::Module& module, const BlobIdentity& identity) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return Error{"it is no file"};
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < sizeof(Header)) return Error{"it is cut short or too long"};
  MappedBlob out;
  void* all = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (all == MAP_FAILED) return Error{std::string("mmap: ") + std::strerror(errno)};
  out.all = {static_cast<std::byte*>(all), size};
  Header h;
  std::memcpy(static_cast<void*>(&h), all, sizeof h);
  if (const char* wrong = wrong_header(h, header_for(module, identity), size)) return Error{wrong};
  if (checksum_of(out.all) != h.checksum) return Error{"it does not match its checksum"};
  const std::byte* at = out.all.data() + sizeof h;
  out.view.functions = table<FunctionRecord>(at, h.functions);
  out.view.sites = table<Site>(at, h.sites);
  out.view.landings = table<Landing>(at, h.landings);
  out.view.enter_of_type = table<uint32_t>(at, h.types);
  at = out.all.data() + h.code_offset;
  out.view.code = table<uint8_t>(at, static_cast<uint32_t>(h.code_bytes));
  if (const char* wrong = wrong_tables(out.view, module)) return Error{wrong};
  if (h.code_bytes == 0) return out;
  void* code = mmap(nullptr, h.code_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, static_cast<off_t>(h.code_offset));
  if (code == MAP_FAILED) return Error{std::string("mmap: ") + std::strerror(errno)};
  out.code = {static_cast<std::byte*>(code), h.code_bytes};
  out.view.code = {static_cast<const uint8_t*>(code), h.code_bytes};
  return out;
}

MappedBlob& MappedBlob::operator=(MappedBlob&& other) noexcept {
  std::swap(view, other.view);
  std::swap(all, other.all);
  std::swap(code, other.code);
  return *this;
}

MappedBlob::~MappedBlob() {
  if (!all.empty()) munmap(all.data(), all.size());
  if (!code.empty()) munmap(code.data(), code.size());
}

}  // namespace krait::jit
