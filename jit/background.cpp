// Codegen behind running code.
//
// Invariants.
//  1. A function's entry in code_ changes at most twice: from the interpreter's to that in the area, and to that in the finished
//     image; each is one store, of code that is complete. Whoever read an older entry still runs right code: area and image
//     live as long as this.
//  2. What is compiled for the finished image does not depend on what was asked for, nor when: so its bytes do not.
//  3. Nobody waits for a thread of ours but ~BackgroundThreads; a thread holds an image only for the job that it does.
#include "jit/background.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "engine/store.hpp"
#include "jit/builtins.hpp"
#include "jit/convention.hpp"
#include "jit/pipeline.hpp"
#include "jit/x64_stubs.hpp"

namespace krait::jit {

using engine::NoIndex;

namespace {

/// How many turns of a loop (and calls) the interpreter makes until it asks again whether there is code.
int32_t again(const Options& options) { return static_cast<int32_t>(std::min<uint32_t>(options.hot, 1000)); }

constexpr size_t Batch = 8;       // functions that are published together while more wait
constexpr int LowPriority = 10;   // nice

}  // namespace

BackgroundImage::BackgroundImage(std::shared_ptr<const engine::Module> module, const BackgroundSettings& settings)
    : module_(std::move(module)),
      settings_(settings),
      code_(std::make_unique<const void*[]>(module_->functions.size())),
      heat_(std::make_unique<std::atomic<int32_t>[]>(module_->functions.size())),
      thunks_(std::make_unique<std::atomic<const void*>[]>(module_->types.size())),
      stages_(module_->functions.size()),
      left_(module_->functions.size()),
      results_(module_->func_types.size()),
      wanted_(module_->func_types.size()) {
  for (size_t i = 0; i < module_->functions.size(); ++i) {
    code_[i] = entry_stub();
    heat_[i].store(static_cast<int32_t>(settings.options.hot), std::memory_order_relaxed);
  }
}

BackgroundImage::~BackgroundImage() = default;

const void* BackgroundImage::entry(uint32_t defined_func) const {
  const void* code = __atomic_load_n(&code_[defined_func], __ATOMIC_ACQUIRE);
  return code == entry_stub() ? nullptr : code;
}

bool BackgroundImage::enter(engine::Store& store, engine::FuncInstance& func, engine::Slot* slots) const {
  const void* code = entry(func.index - imported());
  const void* thunk = thunks_[module_->func_types[func.index]].load(std::memory_order_acquire);
  return enter_code(*this, store, thunk, code, func.context, slots);
}

bool BackgroundImage::enter_loop(engine::Store& store, engine::Context& context, const void* loop_code, engine::Slot* slots) const {
  const auto* loop = static_cast<const LoopCode*>(loop_code);
  return enter_code(*this, store, loop->thunk, loop->code, &context, slots);
}

void BackgroundImage::trace(const engine::Activation& activation, engine::Trap& trap) const {
  walk_frames(*module_, activation, trap, *this);
}

bool BackgroundImage::find(const std::byte* pc, bool call, CodePlace& place) const {
  const CodeArea* area = published_.load(std::memory_order_acquire);
  if (area && area->find(pc, call, place)) return true;
  const Image* all = final_.load(std::memory_order_acquire);
  return all && all->find(pc, call, place);
}

std::shared_ptr<const Image> BackgroundImage::finished() const {
  std::lock_guard lock(mutex_);
  return all_;
}

// What the interpreter asks for -------------------------------------------------------------------------------

/// What is to be done for a function that is hot; false when that is under way or done.
bool BackgroundImage::next_job(uint32_t defined, uint32_t loop, Job& job) {
  std::lock_guard lock(mutex_);
  const uint32_t index = imported() + defined;
  if (!wanted_[index]) {
    wanted_[index] = true;
    if (stages_[defined] == Stage::Untouched) {
      stages_[defined] = Stage::Taken;
      job = {What::Function, defined};
      return true;
    }
    if (stages_[defined] == Stage::Taken || all_) return false;
    ready_.push_back(index);
    job = {What::Publish};
    return true;
  }
  // A frame from before the function had code moves over, if it stays in this loop.
  if (loop == NoIndex || !entry(defined)) return false;
  job = {What::Loop, defined, loop};
  return loops_.try_emplace({defined, loop}).second;
}

const void* BackgroundImage::loop_code(uint32_t defined, uint32_t loop) {
  if (loop == NoIndex) return nullptr;
  std::lock_guard lock(mutex_);
  const auto known = loops_.find({defined, loop});
  return known == loops_.end() ? nullptr : known->second.get();
}

const void* BackgroundImage::ask(uint32_t defined, uint32_t loop) {
  heat_[defined].store(again(settings_.options), std::memory_order_relaxed);
  for (Job job{}; next_job(defined, loop, job);) {
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(job);
    }
    if (settings_.wake) {
      settings_.wake();
      break;
    }
    while (work()) {}
  }
  return loop_code(defined, loop);
}

bool BackgroundImage::take(Job& job) {
  std::lock_guard lock(mutex_);
  if (!asked_.empty()) {
    job = asked_.front();
    asked_.pop_front();
    return true;
  }
  if (!settings_.wake) return false;  // in place, only what is asked for
  while (next_ < stages_.size() && stages_[next_] != Stage::Untouched) ++next_;
  if (next_ == stages_.size()) return false;
  stages_[next_] = Stage::Taken;
  job = {What::Function, next_++};
  return true;
}

bool BackgroundImage::work() {
  Job job{};
  if (stopped() || !take(job)) return false;
  switch (job.what) {
    case What::Function: compile(job.defined); break;
    case What::Loop: compile_loop(job.defined, job.loop); break;
    case What::Publish: publish_ready(); break;
  }
  return true;
}

// Codegen -----------------------------------------------------------------------------------------------------

void BackgroundImage::compile(uint32_t defined) {
  const uint32_t index = imported() + defined;
  CompiledFunction code = compile_index(*module_, index, settings_.options, settings_.cpu);
  if (stopped()) return;
  bool wanted = false, last = false;
  {
    std::lock_guard lock(mutex_);
    results_[index] = std::move(code);
    stages_[defined] = Stage::Compiled;
    wanted = wanted_[index];
    if (wanted) ready_.push_back(index);
    last = --left_ == 0;
  }
  if (last) finish();
  else if (wanted) publish_ready();
}

void BackgroundImage::compile_loop(uint32_t defined, uint32_t loop) {
  auto code = std::make_unique<LoopCode>();
  code->entry.loop = loop;
  const CompiledFunction made =
      compile_function(*module_, defined, settings_.options, settings_.cpu, nullptr, &code->entry);
  if (!made.declined.empty() || stopped()) return;
  const std::vector<uint8_t> thunk = emit_enter(code->entry.type);
  {
    std::lock_guard lock(area_mutex_);
    CodeArea::Item item{imported() + defined, &made, false, true};
    if (!prepare() || !area_->publish({&item, 1})) return;
    code->code = item.at;
    const CodeArea::Thunk one{0, signature_of(code->entry.type).arguments};
    code->thunk = area_->publish(thunk, {&one, 1});
  }
  if (!code->thunk) return;
  std::lock_guard lock(mutex_);
  loops_[{defined, loop}] = std::move(code);
}

// Publishing --------------------------------------------------------------------------------------------------

void BackgroundImage::publish_ready() {
  std::lock_guard area_lock(area_mutex_);
  std::vector<CodeArea::Item> items;
  {
    std::lock_guard lock(mutex_);
    if (!asked_.empty() && ready_.size() < Batch) return;
    if (!all_)
      for (uint32_t index : ready_)
        if (const CompiledFunction& f = results_[index]; f.declined.empty()) items.push_back({index, &f});
    ready_.clear();
  }
  if (items.empty() || !prepare() || !area_->publish(items)) return;
  for (const CodeArea::Item& item : items) switch_to(item.func - imported(), item.at);
}

/// Before the first code of the module appears: the area, its entry thunks, and the thunks of imports.
bool BackgroundImage::prepare() {
  if (prepared_) return area_ != nullptr;
  prepared_ = true;
  area_ = CodeArea::create(*module_, {settings_.options.perf_map, settings_.options.gdb});
  if (!area_) return false;
  compile_imports();
  std::vector<CodeArea::Item> items;
  for (uint32_t i = 0; i < imported(); ++i)
    if (!imports_[i].bytes.empty()) items.push_back({i, &imports_[i], true});
  if ((!items.empty() && !area_->publish(items)) || !publish_thunks()) {
    area_.reset();
    return false;
  }
  published_.store(area_.get(), std::memory_order_release);
  return true;
}

void BackgroundImage::compile_imports() {
  if (!imports_.empty()) return;
  for (uint32_t i = 0; i < imported(); ++i) imports_.push_back(compile_index(*module_, i, settings_.options, settings_.cpu));
}

bool BackgroundImage::publish_thunks() {
  std::vector<uint8_t> bytes;
  std::vector<size_t> offsets(module_->types.size());
  std::vector<CodeArea::Thunk> thunks;
  for (size_t t = 0; t < offsets.size(); ++t) {
    if (module_->canonical_type[t] != t || !supports(module_->types[t])) continue;
    bytes.resize((bytes.size() + CodeAlignment - 1) & ~(CodeAlignment - 1), 0xcc);
    thunks.push_back({offsets[t] = bytes.size(), signature_of(module_->types[t]).arguments});
    const std::vector<uint8_t> thunk = emit_enter(module_->types[t]);
    bytes.insert(bytes.end(), thunk.begin(), thunk.end());
  }
  const std::byte* base = area_->publish(bytes, thunks);
  if (!base) return false;
  for (size_t t = 0; t < offsets.size(); ++t)
    if (supports(module_->types[t])) thunks_[t].store(base + offsets[module_->canonical_type[t]], std::memory_order_release);
  return true;
}

void BackgroundImage::switch_to(uint32_t defined, const void* code) {
  if (area_) area_->call_through(imported() + defined, code);
  __atomic_store_n(&code_[defined], code, __ATOMIC_RELEASE);
}

/// Everything is compiled: the module's blob, as codegen ahead makes it, takes over and goes to the cache.
void BackgroundImage::finish() {
  std::lock_guard area_lock(area_mutex_);
  compile_imports();
  std::copy(imports_.begin(), imports_.end(), results_.begin());
  Blob blob = link(*module_, results_);
  const bool cached = uses_cache(settings_.options);
  std::vector<std::byte> file;
  BlobIdentity identity;
  if (cached) {
    identity = identity_of(*module_, *settings_.options.cache, settings_.cpu);
    file = to_file(blob.view(), *module_, identity);
  }
  std::shared_ptr<Image> all = Image::map(module_, std::move(blob));
  all->tell({settings_.options.perf_map, settings_.options.gdb});
  for (uint32_t t = 0; t < module_->types.size(); ++t)
    if (!thunks_[t].load(std::memory_order_relaxed)) thunks_[t].store(all->thunk_of(t), std::memory_order_release);
  final_.store(all.get(), std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    all_ = all;
    ready_.clear();
    std::vector<CompiledFunction>().swap(results_);
  }
  for (uint32_t i = 0; i < module_->functions.size(); ++i)
    if (const void* code = all->entry(i)) switch_to(i, code);
  if (cached && !stopped()) settings_.options.cache->keep(identity.key, file);
}

// Threads -----------------------------------------------------------------------------------------------------

BackgroundThreads::BackgroundThreads(Options options, CpuFeatures cpu) : limit_(thread_count(options)) {
  options.cancel = &stop_;
  settings_ = {std::move(options), cpu, [this] {
                 std::lock_guard lock(mutex_);
                 ++news_;
                 work_.notify_one();
               }};
}

BackgroundThreads::~BackgroundThreads() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  threads_.clear();  // joins
}

std::shared_ptr<BackgroundImage> BackgroundThreads::image_for(std::shared_ptr<const engine::Module> module) {
  auto image = std::make_shared<BackgroundImage>(std::move(module), settings_);
  std::lock_guard lock(mutex_);
  images_.push_back(image);
  ++news_;
  while (threads_.size() < limit_) threads_.emplace_back([this] { run(); });
  work_.notify_all();
  return image;
}

void BackgroundThreads::run() {
  (void)setpriority(PRIO_PROCESS, 0, LowPriority);  // of this thread alone, on Linux
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const uint64_t news = news_;
    bool any = false;
    for (size_t i = 0; i < images_.size() && !stop_;) {
      std::shared_ptr<BackgroundImage> image = images_[i].lock();
      if (!image) {
        images_.erase(images_.begin() + static_cast<ptrdiff_t>(i));
        continue;
      }
      lock.unlock();
      any |= image->work();
      image.reset();  // perhaps its last owner
      lock.lock();
      ++i;
    }
    if (!any) work_.wait(lock, [&] { return stop_ || news_ != news; });
  }
}

}  // namespace krait::jit
