// Tables: entries relative to their home instance, so that an image of them is shared (context.hpp, 4).
#include "engine/table.hpp"

#include <algorithm>

#include "engine/compiler.hpp"
#include "engine/store.hpp"

namespace krait::engine {

const char InterpreterOnly = 0;

namespace {
constexpr FuncEntry NullEntry{&InterpreterOnly, NullType, 0};
}  // namespace

uint32_t canonical_in(const Module& module, const FuncType& type) {
  for (uint32_t i = 0; i < module.types.size(); ++i)
    if (module.types[i] == type) return module.canonical_type[i];
  return ForeignType;
}

TableInstance::TableInstance(Instance& home, const TableType& type, uint64_t element_cap)
    : home_(&home), type_(type), size_(type.limits.min), cap_(std::min(element_cap, type.limits.max.value_or(element_cap))) {
  if (type.element == ValType::FuncRef) {
    own_.assign(size_, NullEntry);
    entries_ = own_.data();
  } else {
    refs_.assign(size_, 0);
  }
}

TableInstance::TableInstance(Instance& home, const TableType& type, uint64_t element_cap,
                             std::shared_ptr<const TableImage> image)
    : home_(&home), type_(type), size_(image->size()), cap_(std::min(element_cap, type.limits.max.value_or(element_cap))),
      entries_(image->data()), image_(std::move(image)) {}

FuncInstance* TableInstance::resolve(uint32_t func) const {
  return func & ForeignFlag ? foreign_[func & ~ForeignFlag] : &home_->func(func);
}

FuncInstance* TableInstance::func(uint64_t index) const {
  const FuncEntry& entry = entries_[index];
  return entry.type == NullType ? nullptr : resolve(entry.func);
}

Ref TableInstance::get(uint64_t index) const {
  return entries_ || type_.element == ValType::FuncRef ? reinterpret_cast<Ref>(func(index)) : refs_[index];
}

FuncEntry TableInstance::entry_for(const FuncInstance* func) {
  if (!func) return NullEntry;
  if (func->context == &home_->context()) return {home_->code_of(func->index), func->canonical_type, func->index};
  // A function of the host or of another instance: its entry leads through the compiler's stub.
  const auto [known, fresh] = foreign_at_.try_emplace(func, static_cast<uint32_t>(foreign_.size()));
  const uint32_t at = known->second;
  if (fresh) foreign_.push_back(const_cast<FuncInstance*>(func));
  Compiler* compiler = home_->store().options().compiler;
  return {compiler ? compiler->foreign_entry() : &InterpreterOnly, canonical_in(home_->module(), *func->type), at | ForeignFlag};
}

void TableInstance::name_foreign(std::span<FuncInstance* const> functions) {
  foreign_.assign(functions.begin(), functions.end());
  foreign_at_.clear();
  for (uint32_t i = 0; i < functions.size(); ++i) foreign_at_.try_emplace(functions[i], i);
}

void TableInstance::forget_foreign(size_t count) {
  foreign_.resize(count);
  std::erase_if(foreign_at_, [count](const auto& known) { return known.second >= count; });
}

void TableInstance::make_private() {
  if (!image_) return;
  own_ = *image_;
  image_.reset();
  publish();
}

void TableInstance::publish() {
  if (type_.element == ValType::FuncRef && !image_) entries_ = own_.data();
  Context& context = home_->context();
  if (!home_->tables_.empty() && home_->tables_[0] == this) {
    context.table0 = entries_;
    context.table0_size = size_;
  }
}

void TableInstance::set(uint64_t index, Ref value) {
  if (type_.element != ValType::FuncRef) {
    refs_[index] = value;
    return;
  }
  make_private();
  own_[index] = entry_for(reinterpret_cast<const FuncInstance*>(value));
}

int64_t TableInstance::grow(uint64_t delta, Ref value) {
  if (delta > cap_ || size_ > cap_ - delta) return -1;
  const auto old = static_cast<int64_t>(size_);
  if (delta == 0) return old;
  if (type_.element == ValType::FuncRef) {
    make_private();
    own_.resize(size_ + delta, entry_for(reinterpret_cast<const FuncInstance*>(value)));
  } else {
    refs_.resize(size_ + delta, value);
  }
  size_ += delta;
  publish();
  return old;
}

}  // namespace krait::engine
