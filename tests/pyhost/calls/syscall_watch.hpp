// Counts the calls of one thread that change its address space.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace krait::test {

/// A seccomp filter on the thread that calls start(), which tells a supervisor of each such call and lets it go on. A filter is for
/// the rest of the thread's life, and its children's: this outlives the thread, and is made by another one.
class SyscallWatch {
 public:
  SyscallWatch() : supervisor_([this] { serve(); }) {}
  /// False where the kernel has no such filters, or they are forbidden.
  bool start() {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_brk, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    const sock_fprog program{std::size(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    const auto listener = static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    listener_ = listener;
    listener_.notify_one();
    return listener >= 0;
  }
  ~SyscallWatch() {
    if (listener_ == None) listener_ = -1, listener_.notify_one();
    supervisor_.join();  // ends with the watched thread
    if (listener_ >= 0) close(listener_);
  }
  [[nodiscard]] uint64_t count() const { return count_; }
  /// The last one's number.
  [[nodiscard]] int last() const { return last_; }

 private:
  static constexpr int None = -2;

  void serve() {
    listener_.wait(None);
    for (pollfd watched{listener_, POLLIN, 0}; watched.fd >= 0 && poll(&watched, 1, -1) >= 0 && (watched.revents & POLLIN);) {
      seccomp_notif call{};
      if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
      ++count_;
      last_ = call.data.nr;
      seccomp_notif_resp answer{call.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE};
      (void)ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }

  std::atomic<int> listener_{None};
  std::atomic<uint64_t> count_{0};
  std::atomic<int> last_{0};
  std::thread supervisor_;
};

}  // namespace krait::test
