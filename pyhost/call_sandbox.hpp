// A sandbox in which calls run, as its host functions see it: what goes in and comes out, and what a call may ask of the service.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/host.hpp"
#include "pyhost/wasi.hpp"
#include "pyhost/wasi_types.hpp"

namespace krait::pyhost {

struct CallReport;
class Loader;

/// How a Python call failed.
struct PythonFailure {
  std::string type;       ///< "ValueError", "mymodule.Error"
  std::string message;    ///< str(exception)
  std::string traceback;  ///< as Python prints it, with causes; ends in a newline
};

/// What a running call may ask of the service that runs it: calls of its own, of its user's functions. On the call's own line of
/// control; wait() parks it.
class Chaining {
 public:
  virtual ~Chaining() = default;
  struct Refused {
    Errno code;  ///< NoEnt no such function, Access another user's, Again too many calls, Inval
    std::string why;
  };
  /// Starts a call of `entry` of the function `target` (FUNC or USER/FUNC; empty: the caller's own). Its id.
  virtual Result<int32_t, Refused> chain(std::string_view target, std::string_view entry, std::span<const std::byte> input) = 0;

  enum class Waited : uint8_t { Done, TimedOut, Interrupted, Unknown };
  struct Ended {
    Waited what = Waited::Done;
    uint32_t index = 0;  ///< Done: which has ended; Unknown: which is none of this chain's calls
  };
  /// Until one of `ids` has ended. Interrupted: an interrupt of the store is to be seen to first.
  virtual Ended wait(std::span<const int32_t> ids, std::optional<uint64_t> timeout_ns) = 0;
  /// Of a call that has ended; null where it has not, or is none of this chain's.
  virtual std::shared_ptr<const CallReport> report(int32_t id) = 0;
  /// False for an id that is none of this chain's.
  virtual bool cancel(int32_t id) = 0;
};

struct CallSandbox : Sandbox {
  std::span<const std::byte> input;
  std::vector<std::byte> output;
  bool output_set = false;               ///< of a wasm function: else what it printed is its output
  uint64_t output_limit = 0;
  std::string user, function, entry;
  std::optional<PythonFailure> failure;  ///< the exception that ended the call
  std::string message;                   ///< why the last thing that could be refused was
  Chaining* chaining = nullptr;          ///< null: nothing can be chained here
  Loader* loader = nullptr;              ///< null: nothing can be loaded here

  static CallSandbox& of(const engine::Caller& caller) {
    return *static_cast<CallSandbox*>(static_cast<Sandbox*>(caller.store().host_data));
  }
};

/// The trap of a guest that names bytes outside its memory to a function of the module "krait".
inline engine::Trap outside_memory(const char* name) {
  return engine::Trap::make(engine::TrapKind::Host, std::string("krait.") + name + ": the buffer is not inside the memory");
}
inline std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// What the module "krait" has for Python; guest/krait_host.h says what each does.
void define_krait(engine::Linker& linker);
/// Its part that loads shared libraries and calls functions of any type: dynlink/imports.cpp.
void define_dynlink(engine::Linker& linker);
/// Faasm's host calls, of the module "env", for wasm functions; examples/wasm/faasm.h.
void define_faasm(engine::Linker& linker);

}  // namespace krait::pyhost
