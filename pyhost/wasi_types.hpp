// WASI preview 1's vocabulary: errors, rights, flags, and the layout of its structures in guest memory.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace krait::pyhost {

enum class Errno : uint16_t {
  Success = 0,
#define ERRNO(name, value, host) name = value,
#include "pyhost/errno.def"
#undef ERRNO
  NotCapable = 76,  // no host value: a right is missing, or a path leads out of its directory
};
/// The WASI errno of a host errno; Io for one that WASI does not have.
Errno errno_from_host(int host);
/// "ENOENT" and the like, for messages.
const char* name_of(Errno e);

template <typename T = void>
using IoResult = Result<T, Errno>;

enum class FileType : uint8_t {
  Unknown = 0,
  BlockDevice = 1,
  CharacterDevice = 2,
  Directory = 3,
  RegularFile = 4,
  SocketDgram = 5,
  SocketStream = 6,
  SymbolicLink = 7,
};

enum class Whence : uint8_t { Set = 0, Current = 1, End = 2 };
enum class Advice : uint8_t { Normal = 0, Sequential = 1, Random = 2, WillNeed = 3, DontNeed = 4, NoReuse = 5 };

using Rights = uint64_t;
// RIGHT(name, bit)
#define KRAIT_WASI_RIGHTS(RIGHT) \
  RIGHT(FdDatasync, 0)           \
  RIGHT(FdRead, 1)               \
  RIGHT(FdSeek, 2)               \
  RIGHT(FdFdstatSetFlags, 3)     \
  RIGHT(FdSync, 4)               \
  RIGHT(FdTell, 5)               \
  RIGHT(FdWrite, 6)              \
  RIGHT(FdAdvise, 7)             \
  RIGHT(FdAllocate, 8)           \
  RIGHT(PathCreateDirectory, 9)  \
  RIGHT(PathCreateFile, 10)      \
  RIGHT(PathLinkSource, 11)      \
  RIGHT(PathLinkTarget, 12)      \
  RIGHT(PathOpen, 13)            \
  RIGHT(FdReaddir, 14)           \
  RIGHT(PathReadlink, 15)        \
  RIGHT(PathRenameSource, 16)    \
  RIGHT(PathRenameTarget, 17)    \
  RIGHT(PathFilestatGet, 18)     \
  RIGHT(PathFilestatSetSize, 19) \
  RIGHT(PathFilestatSetTimes, 20) \
  RIGHT(FdFilestatGet, 21)       \
  RIGHT(FdFilestatSetSize, 22)   \
  RIGHT(FdFilestatSetTimes, 23)  \
  RIGHT(PathSymlink, 24)         \
  RIGHT(PathRemoveDirectory, 25) \
  RIGHT(PathUnlinkFile, 26)      \
  RIGHT(PollFdReadwrite, 27)     \
  RIGHT(SockShutdown, 28)        \
  RIGHT(SockAccept, 29)

namespace right {
#define RIGHT(name, bit) constexpr Rights name = Rights{1} << bit;
KRAIT_WASI_RIGHTS(RIGHT)
#undef RIGHT
constexpr Rights All = (Rights{1} << 30) - 1;
}  // namespace right

namespace fd_flag {
constexpr uint16_t Append = 1, Dsync = 2, Nonblock = 4, Rsync = 8, Sync = 16, All = 31;
}
namespace open_flag {
constexpr uint16_t Create = 1, Directory = 2, Exclusive = 4, Truncate = 8, All = 15;
}
namespace time_flag {
constexpr uint16_t Atim = 1, AtimNow = 2, Mtim = 4, MtimNow = 8, All = 15;
}
constexpr uint32_t LookupSymlinkFollow = 1;

}  // namespace krait::pyhost
