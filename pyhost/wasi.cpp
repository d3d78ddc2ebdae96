// The state of a sandbox's WASI, and the way from a host function to the call's C++ function.
#include "pyhost/wasi.hpp"

#include <algorithm>
#include <climits>

#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {

IoResult<uint32_t> DescriptorTable::add(Descriptor descriptor) {
  uint32_t fd = 0;
  while (fd < all_.size() && all_[fd].file) fd++;
  if (fd >= limit_) return Errno::MFile;
  set(fd, std::move(descriptor));
  return fd;
}

void DescriptorTable::set(uint32_t fd, Descriptor descriptor) {
  if (fd >= all_.size()) all_.resize(fd + 1);
  all_[fd] = std::move(descriptor);
}

Errno DescriptorTable::close(uint32_t fd) {
  if (!get(fd)) return Errno::BadF;
  all_[fd] = {};
  return Errno::Success;
}

Errno DescriptorTable::renumber(uint32_t from, uint32_t to) {
  if (!get(from) || !get(to)) return Errno::BadF;
  if (from != to) {
    all_[to] = std::move(all_[from]);
    all_[from] = {};
  }
  return Errno::Success;
}

size_t DescriptorTable::open_count() const {
  return static_cast<size_t>(std::count_if(all_.begin(), all_.end(), [](const Descriptor& d) { return d.file != nullptr; }));
}

Rights rights_of(const File& file) {
  using namespace right;
  constexpr Rights Any = FdFdstatSetFlags | FdFilestatGet | FdFilestatSetTimes | PollFdReadwrite;
  switch (file.type()) {
    case FileType::Directory:
      return FdFdstatSetFlags | FdSync | FdAdvise | PathCreateDirectory | PathCreateFile | PathLinkSource | PathLinkTarget |
             PathOpen | FdReaddir | PathReadlink | PathRenameSource | PathRenameTarget | PathFilestatGet |
             PathFilestatSetSize | PathFilestatSetTimes | FdFilestatGet | FdFilestatSetTimes | PathSymlink |
             PathRemoveDirectory | PathUnlinkFile;
    case FileType::SocketStream:
    case FileType::SocketDgram:
      return Any | FdRead | FdWrite | SockShutdown | SockAccept;
    default:
      // A terminal is told by its not having the rights to seek and tell.
      return Any | FdRead | FdWrite | FdSync | FdDatasync | (file.seekable() ? FdSeek | FdTell | FdAdvise : 0) |
             (file.type() == FileType::RegularFile ? FdAllocate | FdFilestatSetSize : 0);
  }
}

namespace {

std::string without_nul(std::string text) {
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

constexpr Rights ReadSide = right::FdRead | right::FdReaddir;
constexpr Rights WriteSide = right::FdWrite | right::FdAllocate | right::FdFilestatSetSize | right::FdDatasync;

}  // namespace

Stdio Stdio::inherit() { return {host_file(0, false), host_file(1, false), host_file(2, false)}; }

Wasi::Wasi(WasiOptions options)
    : descriptors_(options.open_files), waiter_(options.waiter ? options.waiter : &blocking_waiter()),
      network_(std::move(options.network), options.max_sockets) {
  for (std::string& arg : options.args) args_.push_back(without_nul(std::move(arg)));
  for (auto& [name, value] : options.env) environment_.push_back(without_nul(name + "=" + value));
  set_stdio(options.stdio);
  uint32_t fd = 3;
  for (auto& [path, directory] : options.preopens) {
    const Rights base = rights_of(*directory);
    descriptors_.set(fd++, {std::move(directory), base, right::All & ~(right::SockAccept | right::SockShutdown), path, nullptr});
  }
}

void Wasi::set_stdio(const Stdio& stdio) {
  const auto put = [&](uint32_t fd, std::shared_ptr<File> file, Rights without) {
    if (!file) file = null_stream();
    const Rights base = rights_of(*file) & ~without;
    descriptors_.set(fd, {std::move(file), base, 0, {}, nullptr});
  };
  put(0, stdio.in, WriteSide);
  put(1, stdio.out, ReadSide);
  put(2, stdio.err, ReadSide);
}

namespace {

/// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      i++;
      continue;
    }
    const size_t length = lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    if (length == 0 || length > text.size() - i) return false;
    uint32_t code = lead & (0x7f >> length);
    for (size_t k = 1; k < length; k++) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    if ((length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
        (length == 4 && (code < 0x10000 || code > 0x10ffff)))
      return false;
    i += length;
  }
  return true;
}

}  // namespace

IoResult<std::string> Call::path(uint32_t address, uint32_t length) const {
  const auto text = bytes(address, length);
  if (!text) return Errno::Fault;
  if (length > PATH_MAX) return Errno::NameTooLong;
  std::string path(reinterpret_cast<const char*>(text->data()), text->size());
  if (path.find('\0') != std::string::npos) return Errno::Inval;
  if (!is_utf8(path)) return Errno::IlSeq;
  // The guest's libc puts its working directory in front of a shared file's name.
  if (const size_t shared = path.find("/faasm://"); shared != std::string::npos) path.erase(0, shared + 1);
  return path;
}

IoResult<std::vector<iovec>> Call::buffers(uint32_t iovs, uint32_t count) const {
  if (count > IOV_MAX) return Errno::Inval;
  std::vector<iovec> all;
  all.reserve(count);
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; i++) {
    struct Wire {
      uint32_t address, length;
    };
    const auto wire = load<Wire>(iovs + i * sizeof(Wire));
    if (!wire) return Errno::Fault;
    const auto piece = bytes(wire->address, wire->length);
    if (!piece) return Errno::Fault;
    total += wire->length;
    if (!piece->empty()) all.push_back({piece->data(), piece->size()});
  }
  if (total > INT32_MAX) return Errno::Inval;  // the count of bytes must fit its result, and Linux moves no more at once
  return all;
}

IoResult<Descriptor*> Call::descriptor(uint32_t fd, Rights needed) const {
  Descriptor* found = wasi.descriptors().get(fd);
  if (!found) return Errno::BadF;
  if (needed & ~found->base) return Errno::NotCapable;
  return found;
}

IoResult<Directory*> Call::directory(uint32_t fd, Rights needed) const {
  Descriptor* found = wasi.descriptors().get(fd);
  if (!found) return Errno::BadF;
  Directory* directory = found->file->as_directory();
  if (!directory) return Errno::NotDir;
  if (needed & ~found->base) return Errno::NotCapable;
  return directory;
}

namespace {

using engine::Caller;
using engine::Outcome;
using engine::Trap;

Wasi* wasi_of(const Caller& caller) {
  auto* sandbox = static_cast<Sandbox*>(caller.store().host_data);
  return sandbox ? sandbox->wasi : nullptr;
}

/// From the guest's view of a call (Caller, numbers) to ours.
template <auto F>
struct Adapter;
template <typename... A, Errno (*F)(Call&, A...)>
struct Adapter<F> {
  static int32_t run(Caller& caller, A... args) {
    Wasi* wasi = wasi_of(caller);
    if (!wasi) return static_cast<int32_t>(Errno::NoSys);
    if (!caller.memory()) return static_cast<int32_t>(Errno::Fault);
    Call call(*caller.memory(), *wasi);
    return static_cast<int32_t>(F(call, args...));
  }
};
template <typename... A, Outcome<Errno> (*F)(Call&, A...)>
struct Adapter<F> {
  static Outcome<int32_t> run(Caller& caller, A... args) {
    Wasi* wasi = wasi_of(caller);
    if (!wasi) return static_cast<int32_t>(Errno::NoSys);
    if (!caller.memory()) return static_cast<int32_t>(Errno::Fault);
    Call call(*caller.memory(), *wasi);
    Outcome<Errno> outcome = F(call, args...);
    if (!outcome) return std::move(outcome.error());
    return static_cast<int32_t>(*outcome);
  }
};

}  // namespace

std::vector<std::shared_ptr<const engine::HostFunction>> wasi_functions() {
  std::vector<std::shared_ptr<const engine::HostFunction>> all;
#define WASI(name, ...) all.push_back(engine::host_function(WasiModule, #name, &Adapter<&wasi_calls::name>::run));
#define WASI_LEAVES(name, ...) WASI(name, __VA_ARGS__)
#include "pyhost/wasi.def"
#undef WASI
#undef WASI_LEAVES
  all.push_back(engine::host_function(WasiModule, "proc_exit", [](uint32_t status) -> Outcome<> {
    return Trap::exit(static_cast<int32_t>(status));
  }));
  return all;
}

void define_wasi(engine::Linker& linker) {
  for (auto& function : wasi_functions()) linker.func(std::move(function));
}

void define_sockets(engine::Linker& linker) {
#define SOCKET(name, ...) linker.func("krait", #name, &Adapter<&socket_calls::name>::run);
#include "pyhost/socket.def"
#undef SOCKET
}

}  // namespace krait::pyhost
