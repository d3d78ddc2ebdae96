// Side modules in snapshots: each as it was linked, with its own globals; its bytes are kept with them, once.
#include "base/byte_stream.hpp"
#include "pyhost/dynlink/loader.hpp"

namespace krait::pyhost {

using engine::FuncInstance;
using engine::NoIndex;

Result<std::shared_ptr<const LinkedState>> Loader::take(std::vector<FuncInstance*>& outside) {
  auto state = std::make_shared<LinkedState>();
  std::unordered_map<const engine::Context*, uint32_t> numbers;
  for (const Side& side : sides_) {
    LinkedState::Side& kept = state->sides.emplace_back();
    kept.name = side.name;
    if (!side.instance) continue;
    numbers.emplace(&side.instance->context(), static_cast<uint32_t>(state->sides.size() - 1));
    auto own = engine::Snapshot::take(*side.instance);
    if (!own) return Error{side.name + ": " + own.error().message};
    kept.module = side.module;
    kept.memory_base = side.memory_base, kept.table_base = side.table_base;
    kept.global = side.global;
    kept.needed = side.needed;
    for (const engine::GlobalInstance* cell : side.got) kept.got.push_back(static_cast<uint32_t>(cell->cell.low));
    kept.state = std::move(*own);
  }
  std::unordered_map<const FuncInstance*, bool> seen;
  for (uint64_t i = 0; table_ && !numbers.empty() && i < table_->size(); ++i) {
    FuncInstance* func = table_->func(i);
    const auto number = func ? numbers.find(func->context) : numbers.end();
    if (number == numbers.end() || !seen.emplace(func, true).second) continue;
    outside.push_back(func);
    state->outside.emplace_back(number->second, func->index);
  }
  return std::shared_ptr<const LinkedState>(std::move(state));
}

Result<std::vector<FuncInstance*>> Loader::restore(const LinkedState& state) {
  for (const LinkedState::Side& kept : state.sides) {
    Side& side = sides_.emplace_back();
    side.name = kept.name;
    if (!kept.module) continue;
    side.module = kept.module;
    side.memory_base = kept.memory_base, side.table_base = kept.table_base;
    side.global = kept.global;
    side.needed = kept.needed;
    auto made = instantiate(side, kept.state);
    if (!made) return Error{side.name + ": " + made.error().message};
    side.instance = *made;
    if (side.got.size() != kept.got.size()) return Error{side.name + ": the snapshot is of another library"};
  }
  if (auto put = reset(&state); !put) return std::move(put.error());
  std::vector<FuncInstance*> outside;
  for (const auto& [number, index] : state.outside) outside.push_back(&sides_[number].instance->func(index));
  return outside;
}

Result<void> Loader::reset(const LinkedState* state) {
  sides_.resize(state ? state->sides.size() : 0);
  places_.clear();
  cost_ = 0;
  for (size_t i = 0; i < sides_.size(); ++i) {
    const LinkedState::Side& kept = state->sides[i];
    if (!kept.module) continue;
    for (size_t g = 0; g < kept.got.size(); ++g) sides_[i].got[g]->cell.low = kept.got[g];
    if (auto done = kept.state->restore(*sides_[i].instance); !done) return done.error();
  }
  return {};
}

namespace {

void put_bytes(ByteWriter& out, std::span<const std::byte> bytes) {
  out.put(static_cast<uint64_t>(bytes.size()));
  out.raw(bytes.data(), bytes.size());
}
std::span<const std::byte> get_bytes(ByteReader& in) { return in.take(in.get<uint64_t>()); }

void put_numbers(ByteWriter& out, const std::vector<uint32_t>& numbers) {
  put_bytes(out, std::as_bytes(std::span(numbers)));
}
std::vector<uint32_t> get_numbers(ByteReader& in) {
  const std::span<const std::byte> from = get_bytes(in);
  std::vector<uint32_t> numbers(from.size() / sizeof(uint32_t));
  if (!numbers.empty()) std::memcpy(numbers.data(), from.data(), numbers.size() * sizeof(uint32_t));
  return numbers;
}

const Error Broken{"snapshot: its shared libraries cannot be read; make it again"};

}  // namespace

std::vector<std::byte> LinkedState::encode() const {
  ByteWriter out;
  out.put(static_cast<uint32_t>(sides.size()));
  for (size_t i = 0; i < sides.size(); ++i) {
    const Side& side = sides[i];
    put_bytes(out, std::as_bytes(std::span(side.name)));
    out.put(static_cast<uint8_t>(side.module != nullptr));
    if (!side.module) continue;
    size_t same = 0;
    while (sides[same].module != side.module) ++same;
    out.put(same == i ? NoIndex : static_cast<uint32_t>(same));
    if (same == i) put_bytes(out, side.module->module->bytes());
    out.put(side.memory_base), out.put(side.table_base), out.put(static_cast<uint8_t>(side.global));
    put_numbers(out, side.needed);
    put_numbers(out, side.got);
    put_bytes(out, side.state->encode());
  }
  out.put(static_cast<uint32_t>(outside.size()));
  for (const auto& [side, index] : outside) out.put(side), out.put(index);
  return std::move(out.out);
}

Result<std::shared_ptr<const LinkedState>> LinkedState::decode(std::span<const std::byte> bytes, SideModules& modules) {
  ByteReader in(bytes);
  auto state = std::make_shared<LinkedState>();
  const auto linked = [&](uint32_t number) { return number < state->sides.size() && state->sides[number].module; };
  for (uint32_t n = in.get<uint32_t>(); n > 0; --n) {
    Side side;
    const std::span<const std::byte> name = get_bytes(in);
    side.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    if (in.get<uint8_t>() != 0) {
      if (const uint32_t same = in.get<uint32_t>(); same == NoIndex) {
        auto module = modules.get(get_bytes(in));
        if (!module) return std::move(module.error());
        side.module = std::move(*module);
      } else {
        if (!linked(same)) return Broken;
        side.module = state->sides[same].module;
      }
      side.memory_base = in.get<uint32_t>(), side.table_base = in.get<uint32_t>(), side.global = in.get<uint8_t>() != 0;
      side.needed = get_numbers(in);
      for (const uint32_t number : side.needed)
        if (!linked(number)) return Broken;
      side.got = get_numbers(in);
      auto own = engine::Snapshot::decode(*side.module->module, get_bytes(in));
      if (!own) return std::move(own.error());
      side.state = std::move(*own);
    }
    if (in.failed) return Broken;
    state->sides.push_back(std::move(side));
  }
  for (uint32_t n = in.get<uint32_t>(); n > 0 && !in.failed; --n) {
    const auto side = in.get<uint32_t>(), index = in.get<uint32_t>();
    if (!linked(side) || index < state->sides[side].module->module->imported_funcs ||
        index >= state->sides[side].module->module->func_types.size())
      return Broken;
    state->outside.emplace_back(side, index);
  }
  if (in.failed || !in.at_end()) return Broken;
  return std::shared_ptr<const LinkedState>(std::move(state));
}

}  // namespace krait::pyhost
