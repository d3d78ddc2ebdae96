// Calls on descriptors. A read or write that would block waits through the Waiter, unless the guest asked for NONBLOCK.
#include <time.h>

#include <cerrno>

#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {

WireFilestat wire(const FileStat& s) {
  return {s.dev, s.ino, static_cast<uint8_t>(s.type), {}, s.nlink, s.size, s.atim, s.mtim, s.ctim};
}

IoResult<FileTimes> times_of(uint64_t atim, uint64_t mtim, uint32_t flags) {
  using namespace time_flag;
  if (flags & ~uint32_t{All}) return Errno::Inval;
  if ((flags & Atim && flags & AtimNow) || (flags & Mtim && flags & MtimNow)) return Errno::Inval;
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  const uint64_t now = static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
  FileTimes times;
  if (flags & (Atim | AtimNow)) times.atim = flags & Atim ? atim : now;
  if (flags & (Mtim | MtimNow)) times.mtim = flags & Mtim ? mtim : now;
  return times;
}

namespace {

/// Both ways of a transfer: through the waiter where a descriptor of this machine is behind the file, which may take its time.
IoResult<uint64_t> moved(int64_t count) {
  if (count < 0) return errno_from_host(static_cast<int>(-count));
  return static_cast<uint64_t>(count);
}
IoResult<uint64_t> read_some(Waiter& waiter, File& file, std::span<const iovec> to, std::optional<uint64_t> offset) {
  if (file.host_fd() >= 0) return moved(waiter.read(file.host_fd(), to, offset));
  return offset ? file.pread(to, *offset) : file.read(to);
}
IoResult<uint64_t> write_some(Waiter& waiter, File& file, std::span<const iovec> from, std::optional<uint64_t> offset) {
  if (file.host_fd() >= 0) return moved(waiter.write(file.host_fd(), from, offset));
  return offset ? file.pwrite(from, *offset) : file.write(from);
}

Errno sync_file(Call& call, uint32_t fd, bool data_only) {
  auto d = call.descriptor(fd, 0);  // harmless on any descriptor: fdatasync(2) asks for no right either
  if (!d) return d.error();
  const std::shared_ptr<File> file = (*d)->file;
  if (file->host_fd() < 0) return errno_of(file->sync(data_only));
  const int result = call.wasi.waiter().sync(file->host_fd(), data_only);
  return result == -ECANCELED ? Errno::Intr : result < 0 ? errno_from_host(-result) : Errno::Success;
}

/// The errno of f(file). Keeps the file alive, as below.
template <typename F>
Errno on_file(Call& call, const Descriptor& descriptor, F f) {
  const std::shared_ptr<File> file = descriptor.file;
  return errno_of(on_disk(call, *file, [&] { return f(*file); }));
}

/// Runs one transfer and stores its count. Keeps the file alive: a wait may outlast the descriptor.
template <typename F>
Errno transferred(Call& call, Descriptor& descriptor, short events, uint32_t result, F f) {
  const std::shared_ptr<File> file = descriptor.file;
  auto count = transfer(call, *file, events, file->flags() & fd_flag::Nonblock, f);
  return count ? call.store(result, static_cast<uint32_t>(*count)) : count.error();
}

constexpr bool offset_ok(uint64_t offset) { return offset <= static_cast<uint64_t>(INT64_MAX); }

struct WireFdstat {
  uint8_t type, pad0;
  uint16_t flags;
  uint32_t pad1;
  uint64_t base, inheriting;
};
static_assert(sizeof(WireFdstat) == 24);

struct WireDirent {
  uint64_t next, ino;
  uint32_t name_length;
  uint8_t type, pad[3];
};
static_assert(sizeof(WireDirent) == 24);

}  // namespace

namespace wasi_calls {

Errno fd_advise(Call& call, u32 fd, u64 offset, u64 length, u32 advice) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if (advice > static_cast<u32>(Advice::NoReuse) || !offset_ok(offset) || !offset_ok(length)) return Errno::Inval;
  if ((*d)->file->as_directory()) return Errno::BadF;
  return on_file(call, **d, [&](File& file) { return file.advise(offset, length, static_cast<Advice>(advice)); });
}

Errno fd_allocate(Call& call, u32 fd, u64 offset, u64 length) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->as_directory()) return Errno::BadF;
  if (!((*d)->base & right::FdAllocate)) return (*d)->file->seekable() ? Errno::NotCapable : Errno::SPipe;
  return on_file(call, **d, [&](File& file) { return file.allocate(offset, length); });
}

Errno fd_close(Call& call, u32 fd) { return call.wasi.descriptors().close(fd); }

Errno fd_datasync(Call& call, u32 fd) { return sync_file(call, fd, true); }
Errno fd_sync(Call& call, u32 fd) { return sync_file(call, fd, false); }

Errno fd_fdstat_get(Call& call, u32 fd, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  const Descriptor& it = **d;
  return call.store(result, WireFdstat{static_cast<uint8_t>(it.file->type()), 0, it.file->flags(), 0, it.base, it.inheriting});
}

Errno fd_fdstat_set_flags(Call& call, u32 fd, u32 flags) {
  auto d = call.descriptor(fd, right::FdFdstatSetFlags);
  if (!d) return d.error();
  if (flags & ~u32{fd_flag::All}) return Errno::Inval;
  return errno_of((*d)->file->set_flags(static_cast<uint16_t>(flags)));
}

Errno fd_fdstat_set_rights(Call& call, u32 fd, u64 base, u64 inheriting) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if (base & ~(*d)->base || inheriting & ~(*d)->inheriting) return Errno::NotCapable;
  (*d)->base = base;
  (*d)->inheriting = inheriting;
  return Errno::Success;
}

Errno fd_filestat_get(Call& call, u32 fd, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  const std::shared_ptr<File> file = (*d)->file;
  auto stat = on_disk(call, *file, [&] { return file->stat(); });
  if (!stat) return stat.error();
  stat->type = file->type();
  return call.store(result, wire(*stat));
}

Errno fd_filestat_set_size(Call& call, u32 fd, u64 size) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->type() != FileType::RegularFile) return Errno::Inval;
  if (!((*d)->base & right::FdFilestatSetSize)) return Errno::NotCapable;
  return on_file(call, **d, [&](File& file) { return file.set_size(size); });
}

Errno fd_filestat_set_times(Call& call, u32 fd, u64 atim, u64 mtim, u32 flags) {
  auto d = call.descriptor(fd, right::FdFilestatSetTimes);
  if (!d) return d.error();
  auto times = times_of(atim, mtim, flags);
  if (!times) return times.error();
  return on_file(call, **d, [&](File& file) { return file.set_times(*times); });
}

Errno fd_read(Call& call, u32 fd, u32 iovs, u32 iovs_len, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->as_directory()) return Errno::IsDir;
  if (!((*d)->base & right::FdRead)) return Errno::NotCapable;
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  return transferred(call, **d, POLLIN, result, [&](File& file) {
    return read_some(call.wasi.waiter(), file, *buffers, std::nullopt);
  });
}

Errno fd_pread(Call& call, u32 fd, u32 iovs, u32 iovs_len, u64 offset, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->as_directory()) return Errno::IsDir;
  if (!((*d)->base & right::FdRead)) return Errno::NotCapable;
  if (!(*d)->file->seekable()) return Errno::SPipe;
  if (!offset_ok(offset)) return Errno::Inval;
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  return transferred(call, **d, POLLIN, result, [&](File& file) {
    return read_some(call.wasi.waiter(), file, *buffers, offset);
  });
}

Errno fd_write(Call& call, u32 fd, u32 iovs, u32 iovs_len, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->as_directory()) return Errno::BadF;
  if (!((*d)->base & right::FdWrite)) return Errno::NotCapable;
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  return transferred(call, **d, POLLOUT, result, [&](File& file) {
    return write_some(call.wasi.waiter(), file, *buffers, std::nullopt);
  });
}

Errno fd_pwrite(Call& call, u32 fd, u32 iovs, u32 iovs_len, u64 offset, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->file->as_directory()) return Errno::BadF;
  if (!((*d)->base & right::FdWrite)) return Errno::NotCapable;
  if (!(*d)->file->seekable()) return Errno::SPipe;
  if (!offset_ok(offset)) return Errno::Inval;
  auto buffers = call.buffers(iovs, iovs_len);
  if (!buffers) return buffers.error();
  return transferred(call, **d, POLLOUT, result, [&](File& file) {
    return write_some(call.wasi.waiter(), file, *buffers, offset);
  });
}

Errno fd_prestat_get(Call& call, u32 fd, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if ((*d)->preopen.empty()) return Errno::BadF;
  struct Wire {
    uint32_t tag, length;
  };
  return call.store(result, Wire{0, static_cast<u32>((*d)->preopen.size())});
}

Errno fd_prestat_dir_name(Call& call, u32 fd, u32 path, u32 path_len) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  const std::string& name = (*d)->preopen;
  if (name.empty()) return Errno::BadF;
  if (path_len < name.size()) return Errno::NameTooLong;
  const auto to = call.bytes(path, name.size());
  if (!to) return Errno::Fault;
  std::memcpy(to->data(), name.data(), name.size());
  return Errno::Success;
}

Errno fd_readdir(Call& call, u32 fd, u32 buf, u32 buf_len, u64 cookie, u32 result) {
  auto directory = call.directory(fd, right::FdReaddir);
  if (!directory) return directory.error();
  const auto to = call.bytes(buf, buf_len);
  if (!to) return Errno::Fault;
  Descriptor& d = *call.wasi.descriptors().get(fd);
  // A cookie is an index into the listing made at cookie 0: stable while entries are removed.
  if (cookie == 0 || !d.entries) {
    auto list = on_disk(call, **directory, [&] { return (*directory)->list(); });
    if (!list) return list.error();
    d.entries = std::make_shared<const std::vector<DirEntry>>(std::move(*list));
  }
  size_t used = 0;
  const auto put = [&](const void* from, size_t size) {
    const size_t n = std::min(size, to->size() - used);
    if (n != 0) std::memcpy(to->data() + used, from, n);
    used += n;
  };
  // An entry that does not fit is cut off; the guest sees a full buffer and asks again.
  for (u64 i = cookie; i < d.entries->size() && used < to->size(); i++) {
    const DirEntry& entry = (*d.entries)[i];
    const WireDirent head{i + 1, entry.ino, static_cast<u32>(entry.name.size()), static_cast<uint8_t>(entry.type), {}};
    put(&head, sizeof head);
    put(entry.name.data(), entry.name.size());
  }
  return call.store(result, static_cast<u32>(used));
}

Errno fd_renumber(Call& call, u32 from, u32 to) { return call.wasi.descriptors().renumber(from, to); }

Errno fd_seek(Call& call, u32 fd, u64 offset, u32 whence, u32 result) {
  auto d = call.descriptor(fd, 0);
  if (!d) return d.error();
  if (whence > static_cast<u32>(Whence::End)) return Errno::Inval;
  if ((*d)->file->as_directory()) return Errno::BadF;
  if (!(*d)->file->seekable()) return Errno::SPipe;
  // Asking for the position is telling it.
  const bool tells = offset == 0 && whence == static_cast<u32>(Whence::Current);
  if (!((*d)->base & (tells ? right::FdSeek | right::FdTell : right::FdSeek))) return Errno::NotCapable;
  auto at = (*d)->file->seek(static_cast<int64_t>(offset), static_cast<Whence>(whence));
  if (!at) return at.error();
  return call.store(result, *at);
}

Errno fd_tell(Call& call, u32 fd, u32 result) { return fd_seek(call, fd, 0, static_cast<u32>(Whence::Current), result); }

}  // namespace wasi_calls
}  // namespace krait::pyhost
