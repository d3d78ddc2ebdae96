// Layout: the header, a FunctionFacts a function, the side table's entries.
#include "engine/facts.hpp"

#include "engine/decode.hpp"

namespace krait::engine {
namespace {

struct Header {
  uint32_t magic = 0x4641524b;  // "KRAF"
  uint32_t version = FactsVersion;
  uint64_t module_bytes = 0;
  uint32_t functions = 0, entries = 0;
};

}  // namespace

std::vector<std::byte> facts_of(const Module& module) {
  Header header;
  header.module_bytes = module.bytes().size();
  header.functions = static_cast<uint32_t>(module.functions.size());
  header.entries = static_cast<uint32_t>(module.side_table().size());
  const size_t functions_bytes = module.functions.size() * sizeof(FunctionFacts), side_bytes = module.side_table().size_bytes();
  std::vector<std::byte> out(sizeof header + functions_bytes + side_bytes);
  std::memcpy(out.data(), &header, sizeof header);
  std::byte* at = out.data() + sizeof header;
  for (const Function& f : module.functions) {
    const bool again = f.uses_v128 || !f.regions.empty() || !f.catches.empty();
    const FunctionFacts facts{f.code_begin, f.code_end, f.local_slots, f.max_operand_slots, f.side_table, f.side_table_size,
                              f.instruction_count, (again ? FactsAgain : 0) | (f.has_loop ? FactsLoop : 0)};
    std::memcpy(at, &facts, sizeof facts);
    at += sizeof facts;
  }
  if (side_bytes != 0) std::memcpy(at, module.side_table().data(), side_bytes);
  return out;
}

Result<std::shared_ptr<const Module>> compile_known(std::vector<std::byte> bytes, std::span<const std::byte> facts) {
  if (bytes.size() > limits::ModuleBytes) return Module::compile(std::move(bytes));
  auto module = std::make_shared<Module>();
  Decoder::adopt(*module, std::move(bytes));
  Result<void> decoded = Decoder(*module, Features{}, facts).decode();
  if (!decoded) return std::move(decoded.error());
  return std::shared_ptr<const Module>(std::move(module));
}

FactsReader::FactsReader(std::span<const std::byte> bytes, uint64_t module_bytes, uint32_t functions) {
  Header header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Header wanted;
  if (header.magic != wanted.magic || header.version != wanted.version || header.module_bytes != module_bytes ||
      header.functions != functions)
    return;
  const uint64_t functions_bytes = uint64_t{functions} * sizeof(FunctionFacts), side_bytes = uint64_t{header.entries} * sizeof(BranchEntry);
  if (bytes.size() != sizeof header + functions_bytes + side_bytes) return;
  functions_ = bytes.subspan(sizeof header, functions_bytes);
  side_table_ = bytes.subspan(sizeof header + functions_bytes);
  entries_ = header.entries;
  valid_ = true;
}

std::vector<BranchEntry> FactsReader::side_table() const {
  std::vector<BranchEntry> entries(entries_);
  if (entries_ != 0) std::memcpy(entries.data(), side_table_.data(), side_table_.size());
  return entries;
}

}  // namespace krait::engine
