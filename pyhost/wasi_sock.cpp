// Sockets: a guest is given none, so these only say what is wrong. A stream that the host passed in as stdio may be a
// socket underneath; fd_read and fd_write serve it.
#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {
namespace {

Errno not_a_socket(Call& call, uint32_t fd) {
  Descriptor* d = call.wasi.descriptors().get(fd);
  if (!d) return Errno::BadF;
  const FileType type = d->file->type();
  return type == FileType::SocketStream || type == FileType::SocketDgram ? Errno::NotSup : Errno::NotSock;
}

}  // namespace

namespace wasi_calls {

Errno sock_accept(Call& call, u32 fd, u32, u32) { return not_a_socket(call, fd); }
Errno sock_recv(Call& call, u32 fd, u32, u32, u32, u32, u32) { return not_a_socket(call, fd); }
Errno sock_send(Call& call, u32 fd, u32, u32, u32, u32) { return not_a_socket(call, fd); }
Errno sock_shutdown(Call& call, u32 fd, u32) { return not_a_socket(call, fd); }

}  // namespace wasi_calls
}  // namespace krait::pyhost
