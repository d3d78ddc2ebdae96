// WASI preview 1 for one sandbox: its arguments, environment and descriptors, and the host functions that act on them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/linker.hpp"
#include "pyhost/socket.hpp"
#include "pyhost/vfs.hpp"
#include "pyhost/wait.hpp"

namespace krait::pyhost {

constexpr const char* WasiModule = "wasi_snapshot_preview1";

class StateSession;

/// A descriptor: an open file and what may be done with it.
struct Descriptor {
  std::shared_ptr<File> file;                        ///< null: the number is free
  Rights base = 0, inheriting = 0;
  std::string preopen;                               ///< the guest's path of a preopened directory, else empty
  std::shared_ptr<const std::vector<DirEntry>> entries;  ///< of a directory being read; made anew at cookie 0
};

/// Descriptors by number; a new one gets the lowest free number.
class DescriptorTable {
 public:
  explicit DescriptorTable(uint32_t limit) : limit_(limit) {}
  /// Null where `fd` is not open.
  [[nodiscard]] Descriptor* get(uint32_t fd) { return fd < all_.size() && all_[fd].file ? &all_[fd] : nullptr; }
  /// MFile beyond the limit.
  IoResult<uint32_t> add(Descriptor descriptor);
  void set(uint32_t fd, Descriptor descriptor);
  Errno close(uint32_t fd);
  /// `to` becomes what `from` was, and `from` is free. Both must be open.
  Errno renumber(uint32_t from, uint32_t to);
  [[nodiscard]] size_t open_count() const;
  /// Whether add() would fail.
  [[nodiscard]] bool full() const { return open_count() >= limit_; }

 private:
  std::vector<Descriptor> all_;
  uint32_t limit_;
};

/// Streams of a guest. Null members: stdin is empty, what is written to stdout and stderr is thrown away.
struct Stdio {
  std::shared_ptr<File> in, out, err;
  /// This process's own descriptors 0, 1 and 2.
  static Stdio inherit();
};

struct WasiOptions {
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  Stdio stdio;
  std::vector<std::pair<std::string, std::shared_ptr<Directory>>> preopens;  ///< guest path, directory
  uint32_t open_files = 1024;
  Waiter* waiter = nullptr;  ///< null: blocking_waiter(). Not owned
  std::shared_ptr<const NetPolicy> network;  ///< null: no sockets but pairs
  uint32_t max_sockets = 64;                 ///< sockets of this machine open at once
};

/// The WASI state of a sandbox. Used by the thread that runs its store.
class Wasi {
 public:
  explicit Wasi(WasiOptions options);
  [[nodiscard]] DescriptorTable& descriptors() { return descriptors_; }
  [[nodiscard]] const DescriptorTable& descriptors() const { return descriptors_; }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] Waiter& waiter() const { return *waiter_; }
  [[nodiscard]] const std::vector<std::string>& args() const { return args_; }
  /// "NAME=value"
  [[nodiscard]] const std::vector<std::string>& environment() const { return environment_; }
  void set_stdio(const Stdio& stdio);

 private:
  DescriptorTable descriptors_;
  std::vector<std::string> args_, environment_;
  Waiter* waiter_;
  Network network_;
};

/// What Store::host_data of every store points to that runs with the functions below. `Sandbox` may be extended by derivation.
struct Sandbox {
  virtual ~Sandbox() = default;
  Wasi* wasi = nullptr;
  /// Counts what must not happen while a module is loaded whose state is to be snapshotted: it would be done once and not
  /// in each call.
  uint64_t uses = 0;
  std::shared_ptr<StateSession> state;  ///< null: the sandbox gets a state of its own, in memory, when it asks for one
};

/// All functions of the module "wasi_snapshot_preview1". They find their Wasi through Store::host_data, so one
/// linker serves all stores.
std::vector<std::shared_ptr<const engine::HostFunction>> wasi_functions();
void define_wasi(engine::Linker& linker);
/// The sockets of the module "krait"; guest/krait_socket.h says what each does.
void define_sockets(engine::Linker& linker);

/// The rights that a kind of file can have.
Rights rights_of(const File& file);

}  // namespace krait::pyhost
