// Instances: index spaces, exports, segments and constant expressions.
#include "engine/instance.hpp"

#include "engine/compiler.hpp"
#include "engine/leb.hpp"
#include "engine/opcodes.hpp"
#include "engine/store.hpp"

namespace krait::engine {

ExternKind kind_of(const Extern& item) { return static_cast<ExternKind>(item.index()); }

Instance::Instance(Store& store, std::shared_ptr<const Module> module) : module_(std::move(module)) {
  context_.instance = this;
  context_.imported_funcs = module_->imported_funcs;
  context_.store = &store;
  context_.stack_limit = store.native_stack_limit();
  context_.update_entry_limit();
  funcs_.resize((module_->functions.size() + FuncChunk - 1) / FuncChunk);
  dropped_elements_.resize(module_->elements.size());
  dropped_data_.resize(module_->data.size());
  if (Compiler* compiler = store.options().compiler) {
    code_image_ = compiler->image_for(module_);
    context_.code = code_image_->code();
    context_.heat = code_image_->heat();
    context_.builtins = compiler->builtins();
  }
}

FuncInstance& Instance::func(uint32_t index) {
  const uint32_t imported = module_->imported_funcs;
  if (index < imported) return *imports_[index];
  const uint32_t defined = index - imported;
  auto& chunk = funcs_[defined / FuncChunk];
  if (!chunk) chunk = make_funcs(defined / FuncChunk * FuncChunk);
  return chunk[defined % FuncChunk];
}

std::unique_ptr<FuncInstance[]> Instance::make_funcs(uint32_t first) {
  const uint32_t imported = module_->imported_funcs;
  const auto count = std::min<size_t>(FuncChunk, module_->functions.size() - first);
  auto funcs = std::make_unique_for_overwrite<FuncInstance[]>(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t index = imported + first + i;
    const uint32_t type = module_->func_types[index];
    funcs[i] = {code_of(index), &context_, &module_->types[type], nullptr, index, module_->canonical_type[type]};
  }
  return funcs;
}

const void* Instance::code_of(uint32_t func_index) const {
  Compiler* compiler = context_.store->options().compiler;
  if (!compiler) return &InterpreterOnly;
  if (func_index < module_->imported_funcs) return compiler->foreign_entry();
  return load_code(context_, func_index - module_->imported_funcs);
}

std::optional<Extern> Instance::find_export(std::string_view name) {
  for (const Export& e : module_->exports)
    if (e.name == name) return item(e);
  return std::nullopt;
}

Extern Instance::item(const Export& exported) {
  switch (exported.kind) {
    case ExternKind::Func: return &func(exported.index);
    case ExternKind::Table: return tables_[exported.index];
    case ExternKind::Memory: return memories_[exported.index];
    case ExternKind::Global: return global_instances_[exported.index];
    case ExternKind::Tag: break;
  }
  return tags_[exported.index];
}

namespace {
template <typename T>
T* export_as(std::optional<Extern> item) {
  T** found = item ? std::get_if<T*>(&*item) : nullptr;
  return found ? *found : nullptr;
}
}  // namespace

FuncInstance* Instance::export_func(std::string_view name) { return export_as<FuncInstance>(find_export(name)); }
Memory* Instance::export_memory(std::string_view name) { return export_as<Memory>(find_export(name)); }
TableInstance* Instance::export_table(std::string_view name) { return export_as<TableInstance>(find_export(name)); }
GlobalInstance* Instance::export_global(std::string_view name) {
  return export_as<GlobalInstance>(find_export(name));
}

uint64_t Instance::element_count(uint32_t segment) const {
  return dropped_elements_[segment] ? 0 : module_->elements[segment].size();
}

Ref Instance::element(uint32_t segment, uint64_t index) {
  const ElementSegment& s = module_->elements[segment];
  if (!s.expressions.empty()) return evaluate(s.expressions[index]).low;
  return reinterpret_cast<Ref>(&func(s.functions[index]));
}

std::span<const std::byte> Instance::data(uint32_t segment) const {
  const DataSegment& s = module_->data[segment];
  return dropped_data_[segment] ? std::span<const std::byte>{} : module_->bytes().subspan(s.begin, s.end - s.begin);
}

namespace {

uint64_t arithmetic(uint8_t op, uint64_t a, uint64_t b) {
  switch (op) {
    case 0x6a: return static_cast<uint32_t>(a + b);  // i32.add, i32.sub, i32.mul
    case 0x6b: return static_cast<uint32_t>(a - b);
    case 0x6c: return static_cast<uint32_t>(a * b);
    case 0x7c: return a + b;  // i64.add, i64.sub, i64.mul
    case 0x7d: return a - b;
    default: return a * b;
  }
}

}  // namespace

GlobalCell Instance::evaluate(const ConstExpr& expr) {
  const auto* at = reinterpret_cast<const uint8_t*>(module_->bytes().data() + expr.begin);
  std::vector<GlobalCell> stack;
  for (;;) {
    const uint8_t op = *at++;
    switch (op) {
      case 0x0b: return stack.back();
      case 0x23: stack.push_back(*globals_[leb_u32(at)]); break;
      case 0x41: stack.push_back({leb_s32(at)}); break;
      case 0x42: stack.push_back({leb_s64(at)}); break;
      case 0x43: stack.push_back({read_raw<uint32_t>(at)}), at += 4; break;
      case 0x44: stack.push_back({read_raw<uint64_t>(at)}), at += 8; break;
      case 0xd0: skip_leb(at), stack.push_back({}); break;
      case 0xd2: stack.push_back({reinterpret_cast<Ref>(&func(leb_u32(at)))}); break;
      case 0xfd: {  // v128.const is the only one of its prefix here
        skip_leb(at);
        stack.push_back({read_raw<uint64_t>(at), read_raw<uint64_t>(at + 8)});
        at += 16;
        break;
      }
      default: {
        const GlobalCell b = stack.back();
        stack.pop_back();
        stack.back().low = arithmetic(op, stack.back().low, b.low);
      }
    }
  }
}

}  // namespace krait::engine
