// Error numbers: the table of errno.def, read both ways.
#include "pyhost/wasi_types.hpp"

#include <cerrno>

namespace krait::pyhost {

Errno errno_from_host(int host) {
  switch (host) {
    case 0:
      return Errno::Success;
#define ERRNO(name, value, host_value) \
  case host_value:                     \
    return Errno::name;
#include "pyhost/errno.def"
#undef ERRNO
    default:
      return Errno::Io;
  }
}

const char* name_of(Errno e) {
  switch (e) {
    case Errno::Success:
      return "0";
#define ERRNO(name, value, host_value) \
  case Errno::name:                    \
    return #host_value;
#include "pyhost/errno.def"
#undef ERRNO
    case Errno::NotCapable:
      return "ENOTCAPABLE";
  }
  return "unknown";
}

}  // namespace krait::pyhost
