// Codegen behind running code: an image without entries at first, and the threads that give it some.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "jit/build.hpp"
#include "jit/code_area.hpp"
#include "jit/codegen.hpp"

namespace krait::jit {

/// What the images of one compiler share. Lives as long as any of them runs.
struct BackgroundSettings {
  Options options;                     ///< `cancel` set
  CpuFeatures cpu;
  std::function<void()> wake;          ///< there is a new job; null: jobs are done where they come up (Codegen::InPlace)
};

/// The code of one module while it comes into being. Functions that the interpreter runs often are compiled first and published at
/// once; the others appear together, when all are done: then this is the same blob, byte for byte, as codegen ahead makes.
class BackgroundImage final : public WalkedImage {
 public:
  /// Returns at once.
  BackgroundImage(std::shared_ptr<const engine::Module> module, const BackgroundSettings& settings);
  ~BackgroundImage() override;

  [[nodiscard]] const void* entry(uint32_t defined_func) const override;
  [[nodiscard]] const void* const* code() const override { return code_.get(); }
  bool enter(engine::Store& store, engine::FuncInstance& func, engine::Slot* slots) const override;
  [[nodiscard]] std::atomic<int32_t>* heat() const override { return heat_.get(); }
  const void* hot(uint32_t defined_func, uint32_t loop) const override { return const_cast<BackgroundImage*>(this)->ask(defined_func, loop); }
  bool enter_loop(engine::Store& store, engine::Context& context, const void* loop_code, engine::Slot* slots) const override;
  void trace(const engine::Activation& activation, engine::Trap& trap) const override;
  bool find(const std::byte* pc, bool call, CodePlace& place) const override;

  /// Does one job, if there is one; any number of threads at once. False when there is none.
  bool work();
  /// All functions, once everything is compiled; null before that.
  [[nodiscard]] std::shared_ptr<const Image> finished() const;

 private:
  enum class What : uint8_t { Function, Loop, Publish };
  struct Job {
    What what;
    uint32_t defined = 0;
    uint32_t loop = 0;
  };
  /// Code from one loop on.
  struct LoopCode {
    LoopEntry entry;
    const void* thunk = nullptr;
    const void* code = nullptr;
  };
  enum class Stage : uint8_t { Untouched, Taken, Compiled };

  const void* ask(uint32_t defined, uint32_t loop);
  bool next_job(uint32_t defined, uint32_t loop, Job& job);
  const void* loop_code(uint32_t defined, uint32_t loop);
  bool take(Job& job);
  void compile(uint32_t defined);
  void compile_loop(uint32_t defined, uint32_t loop);
  void publish_ready();
  bool prepare();
  void compile_imports();
  bool publish_thunks();
  void switch_to(uint32_t defined, const void* code);
  void finish();
  [[nodiscard]] bool stopped() const { return settings_.options.cancel && settings_.options.cancel->load(std::memory_order_relaxed); }
  [[nodiscard]] uint32_t imported() const { return module_->imported_funcs; }

  const std::shared_ptr<const engine::Module> module_;
  const BackgroundSettings& settings_;
  std::unique_ptr<const void*[]> code_;           // by defined function
  std::unique_ptr<std::atomic<int32_t>[]> heat_;
  std::unique_ptr<std::atomic<const void*>[]> thunks_;  // by type index: how to enter its functions

  mutable std::mutex mutex_;                      // of all below
  std::deque<Job> asked_;
  std::vector<Stage> stages_;                     // by defined function; Taken: in asked_ or being compiled
  uint32_t next_ = 0;                             // the first one that may be Untouched
  size_t left_;                                   // defined functions that are not Compiled
  std::vector<CompiledFunction> results_;         // by function index; taken away by finish()
  std::vector<bool> wanted_;                      // to be published as soon as it is Compiled
  std::vector<uint32_t> ready_;                   // function indices: Compiled, wanted, to be published
  std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<LoopCode>> loops_;
  std::shared_ptr<Image> all_;                    // when everything is compiled

  std::mutex area_mutex_;                         // for who publishes; taken before mutex_
  std::unique_ptr<CodeArea> area_;
  bool prepared_ = false;
  std::vector<CompiledFunction> imports_;         // thunks
  std::atomic<const CodeArea*> published_{nullptr};
  std::atomic<const Image*> final_{nullptr};
};

/// The threads of one compiler, for all its images. They start when there is work, at low priority.
class BackgroundThreads {
 public:
  BackgroundThreads(Options options, CpuFeatures cpu);
  /// Waits for the pass that each thread is in.
  ~BackgroundThreads();
  std::shared_ptr<BackgroundImage> image_for(std::shared_ptr<const engine::Module> module);

 private:
  void run();
  std::atomic<bool> stop_{false};
  const uint32_t limit_;
  BackgroundSettings settings_;
  std::mutex mutex_;
  std::condition_variable work_;
  uint64_t news_ = 0;                             // counts wakes
  std::vector<std::weak_ptr<BackgroundImage>> images_;
  std::vector<std::jthread> threads_;
};

}  // namespace krait::jit
