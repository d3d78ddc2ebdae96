// Private to calls/: functions as they are stored now, and what is made of them once.
//
// Invariants
//  1. A version never changes but for what `made` guards: a new upload is a new version.
//  2. Looking one up asks the file system for its stamp, so an upload by another process is seen by the next call too.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/module.hpp"
#include "io/future.hpp"
#include "pyhost/calls/service.hpp"

namespace krait::pyhost::calls {

/// What a function's calls start from. Immutable.
struct FunctionStart {
  std::shared_ptr<const PythonSnapshot> snapshot;  ///< of the function, or of Python alone; null: Python is booted
  bool loaded = false;                             ///< the snapshot has the function's module
  std::shared_ptr<const engine::Module> module;    ///< of a wasm function
};

struct FunctionVersion {
  store::FunctionInfo info;
  store::FunctionStamp stamp;
  std::string source;             ///< Python's text
  store::Bytes contents;          ///< a wasm module
  LimitChanges limits;

  std::shared_ptr<const PythonSnapshot> booted;  ///< Python alone, for the next try where loading failed; of who makes the start
  std::mutex mutex;
  std::shared_ptr<const FunctionStart> start;   // guarded; null until it is made
  bool being_made = false;                      // guarded
  std::vector<std::shared_ptr<io::FutureCore>> waiting;  // guarded; for that: one each, as a future has one waiter
};

/// Thread-safe.
class FunctionTable {
 public:
  FunctionTable(store::FunctionStore functions, size_t cap) : store_(std::move(functions)), cap_(cap) {}
  /// The function as it is stored now; Invalid, Unknown, Broken.
  Answer<std::shared_ptr<FunctionVersion>> find(const std::string& user, const std::string& name);
  [[nodiscard]] store::FunctionStore& store() { return store_; }
  [[nodiscard]] const store::FunctionStore& store() const { return store_; }

 private:
  using Key = std::string;  // USER/FUNC
  struct Entry {
    std::shared_ptr<FunctionVersion> version;
    std::list<Key>::iterator place;
  };
  store::FunctionStore store_;
  const size_t cap_;
  std::mutex mutex_;
  std::list<Key> recent_;  // the one used last in front
  std::unordered_map<Key, Entry> entries_;
};

}  // namespace krait::pyhost::calls
