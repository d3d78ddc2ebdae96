// libFuzzer target: see run_input.hpp. Mutations keep the sections' and functions' sizes right about half of the
// time, so that inputs get past the decoder and into validator and interpreter.
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "tests/fuzz/run_input.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint8_t CodeSection = 10;
constexpr size_t MaxPart = 1 << 16;

struct Part {
  uint8_t id;
  Bytes body;
};

std::optional<uint32_t> read_leb(const Bytes& bytes, size_t& at) {
  uint32_t value = 0;
  for (uint32_t shift = 0; shift < 35 && at < bytes.size(); shift += 7) {
    const uint8_t byte = bytes[at++];
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

void put_leb(Bytes& out, size_t value) {
  for (; value > 0x7f; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

/// Sized parts from `at` to the end; `with_id` for sections, without for function bodies.
std::optional<std::vector<Part>> split(const Bytes& bytes, size_t at, bool with_id) {
  std::vector<Part> parts;
  while (at < bytes.size()) {
    const uint8_t id = with_id ? bytes[at++] : uint8_t{0};
    const auto size = read_leb(bytes, at);
    if (!size || *size > bytes.size() - at) return std::nullopt;
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(at);
    parts.push_back({id, Bytes(begin, begin + *size)});
    at += *size;
  }
  return parts;
}

void join(Bytes& out, const std::vector<Part>& parts, bool with_id) {
  for (const Part& part : parts) {
    if (with_id) out.push_back(part.id);
    put_leb(out, part.body.size());
    out.insert(out.end(), part.body.begin(), part.body.end());
  }
}

void mutate(Bytes& bytes) {
  const size_t size = bytes.size();
  bytes.resize(std::min(size + 64, std::max(size, MaxPart)));
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
}

/// Changes one function's body.
void mutate_code(Bytes& section, std::minstd_rand& random) {
  size_t at = 0;
  const auto count = read_leb(section, at);
  auto bodies = count ? split(section, at, false) : std::nullopt;
  if (!bodies || bodies->empty()) return mutate(section);
  mutate((*bodies)[random() % bodies->size()].body);
  section.clear();
  put_leb(section, bodies->size());
  join(section, *bodies, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  krait::fuzz::run_input({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const Bytes input(data, data + size);
  auto sections = random() % 2 && size > 8 ? split(input, 8, true) : std::nullopt;
  if (!sections || sections->empty()) return LLVMFuzzerMutate(data, size, max_size);
  Part& section = (*sections)[random() % sections->size()];
  // Three in four go into code where there is any: that is where most of the engine lies.
  Part* code = nullptr;
  for (Part& part : *sections)
    if (part.id == CodeSection) code = &part;
  if (code && random() % 4)
    mutate_code(code->body, random);
  else
    mutate(section.body);
  Bytes output(input.begin(), input.begin() + 8);
  join(output, *sections, true);
  if (output.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, output.data(), output.size());
  return output.size();
}
