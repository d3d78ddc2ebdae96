// Calls on paths. All resolution is the directory's (vfs.hpp); here are the rights and the flags.
#include "pyhost/wasi_call.hpp"

namespace krait::pyhost::wasi_calls {

Errno path_create_directory(Call& call, u32 fd, u32 path, u32 path_len) {
  auto directory = call.directory(fd, right::PathCreateDirectory);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  return errno_of(maybe_waiting(call, on_host(**directory, *text), [&] { return (*directory)->make_directory(*text); }));
}

Errno path_filestat_get(Call& call, u32 fd, u32 lookup, u32 path, u32 path_len, u32 result) {
  auto directory = call.directory(fd, right::PathFilestatGet);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  auto stat = looked_up(call, **directory, *text, [&](bool cached) {
    return (*directory)->stat_at(*text, lookup & LookupSymlinkFollow, cached);
  });
  if (!stat) return stat.error();
  return call.store(result, wire(*stat));
}

Errno path_filestat_set_times(Call& call, u32 fd, u32 lookup, u32 path, u32 path_len, u64 atim, u64 mtim, u32 flags) {
  auto directory = call.directory(fd, right::PathFilestatSetTimes);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  auto times = times_of(atim, mtim, flags);
  if (!times) return times.error();
  return errno_of(maybe_waiting(call, on_host(**directory, *text), [&] {
    return (*directory)->set_times_at(*text, lookup & LookupSymlinkFollow, *times);
  }));
}

Errno path_link(Call& call, u32 old_fd, u32 lookup, u32 old_path, u32 old_path_len, u32 new_fd, u32 new_path,
                u32 new_path_len) {
  auto from = call.directory(old_fd, right::PathLinkSource);
  if (!from) return from.error();
  auto to = call.directory(new_fd, right::PathLinkTarget);
  if (!to) return to.error();
  auto from_text = call.path(old_path, old_path_len);
  if (!from_text) return from_text.error();
  auto to_text = call.path(new_path, new_path_len);
  if (!to_text) return to_text.error();
  return errno_of(maybe_waiting(call, on_host(**from, *from_text) || on_host(**to, *to_text), [&] {
    return (*from)->link(*from_text, lookup & LookupSymlinkFollow, **to, *to_text);
  }));
}

Errno path_open(Call& call, u32 fd, u32 lookup, u32 path, u32 path_len, u32 oflags, u64 base, u64 inheriting, u32 fd_flags,
                u32 result) {
  auto directory = call.directory(fd, right::PathOpen);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  if (oflags & ~u32{open_flag::All} || fd_flags & ~u32{fd_flag::All}) return Errno::Inval;
  // The result's place is checked first: a file must not be made for a guest that cannot be told its number.
  if (!call.bytes(result, sizeof(u32))) return Errno::Fault;
  const Descriptor& at = *call.wasi.descriptors().get(fd);
  if (oflags & open_flag::Create && !(at.base & right::PathCreateFile)) return Errno::NotCapable;
  if (oflags & open_flag::Truncate && !(at.base & right::PathFilestatSetSize)) return Errno::NotCapable;
  const Rights bounds = at.inheriting;
  // Rights beyond what the directory passes on are left out, not refused: guests ask for all that there are.
  base &= bounds;
  OpenHow how;
  how.write = base & (right::FdWrite | right::FdAllocate | right::FdFilestatSetSize);
  how.read = !how.write || base & (right::FdRead | right::FdReaddir);
  how.create = oflags & open_flag::Create;
  how.exclusive = oflags & open_flag::Exclusive;
  how.truncate = oflags & open_flag::Truncate;
  how.directory = oflags & open_flag::Directory;
  how.follow = lookup & LookupSymlinkFollow;
  how.flags = static_cast<uint16_t>(fd_flags);
  auto file = looked_up(call, **directory, *text, [&](bool cached) {
    how.cached = cached;
    return (*directory)->open(*text, how);
  });
  if (!file) return file.error();
  Descriptor opened;
  opened.base = base & rights_of(**file);
  opened.inheriting = (*file)->as_directory() ? inheriting & bounds : 0;
  opened.file = std::move(*file);
  auto number = call.wasi.descriptors().add(std::move(opened));
  if (!number) return number.error();
  return call.store(result, *number);
}

Errno path_readlink(Call& call, u32 fd, u32 path, u32 path_len, u32 buf, u32 buf_len, u32 result) {
  auto directory = call.directory(fd, right::PathReadlink);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  const auto to = call.bytes(buf, buf_len);
  if (!to) return Errno::Fault;
  auto target = maybe_waiting(call, on_host(**directory, *text), [&] { return (*directory)->read_link(*text); });
  if (!target) return target.error();
  const size_t n = std::min(target->size(), to->size());
  if (n != 0) std::memcpy(to->data(), target->data(), n);
  return call.store(result, static_cast<u32>(n));
}

Errno path_remove_directory(Call& call, u32 fd, u32 path, u32 path_len) {
  auto directory = call.directory(fd, right::PathRemoveDirectory);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  return errno_of(maybe_waiting(call, on_host(**directory, *text), [&] { return (*directory)->remove_directory(*text); }));
}

Errno path_rename(Call& call, u32 fd, u32 old_path, u32 old_path_len, u32 new_fd, u32 new_path, u32 new_path_len) {
  auto from = call.directory(fd, right::PathRenameSource);
  if (!from) return from.error();
  auto to = call.directory(new_fd, right::PathRenameTarget);
  if (!to) return to.error();
  auto from_text = call.path(old_path, old_path_len);
  if (!from_text) return from_text.error();
  auto to_text = call.path(new_path, new_path_len);
  if (!to_text) return to_text.error();
  return errno_of(maybe_waiting(call, on_host(**from, *from_text) || on_host(**to, *to_text), [&] {
    return (*from)->rename(*from_text, **to, *to_text);
  }));
}

Errno path_symlink(Call& call, u32 old_path, u32 old_path_len, u32 fd, u32 new_path, u32 new_path_len) {
  auto directory = call.directory(fd, right::PathSymlink);
  if (!directory) return directory.error();
  auto target = call.path(old_path, old_path_len);
  if (!target) return target.error();
  auto text = call.path(new_path, new_path_len);
  if (!text) return text.error();
  return errno_of(maybe_waiting(call, on_host(**directory, *text), [&] { return (*directory)->symlink(*target, *text); }));
}

Errno path_unlink_file(Call& call, u32 fd, u32 path, u32 path_len) {
  auto directory = call.directory(fd, right::PathUnlinkFile);
  if (!directory) return directory.error();
  auto text = call.path(path, path_len);
  if (!text) return text.error();
  return errno_of(maybe_waiting(call, on_host(**directory, *text), [&] { return (*directory)->unlink(*text); }));
}

}  // namespace krait::pyhost::wasi_calls
