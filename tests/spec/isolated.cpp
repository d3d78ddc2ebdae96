#include "tests/spec/isolated.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/spec/values.hpp"

namespace krait::spec {

namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  Job* job;
  pid_t pid;
  int pipe;
  Clock::time_point deadline;
  std::string output;
};

std::string encode(const Report& report) {
  return Json{{"passed", report.passed}, {"skipped", report.skipped}, {"failures", report.failures}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

/// The line that a child has reached, in memory that parent and child share.
class SharedLine {
 public:
  SharedLine() {
    void* page = mmap(nullptr, sizeof(std::atomic<uint32_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    line_ = new (page) std::atomic<uint32_t>(0);
  }
  ~SharedLine() { munmap(line_, sizeof *line_); }
  SharedLine(const SharedLine&) = delete;
  SharedLine& operator=(const SharedLine&) = delete;
  std::atomic<uint32_t>& operator*() { return *line_; }

 private:
  std::atomic<uint32_t>* line_;
};

class Pool {
 public:
  Pool(std::chrono::seconds limit, engine::Compiler* compiler) : limit_(limit), compiler_(compiler) {}

  void start(Job& job, SharedLine& line) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t pid = fork();
    if (pid < 0) std::abort();
    if (pid == 0) {
      close(ends[0]);
      const std::string text = encode(run_script(job.json, job.suite, compiler_, *line));
      for (size_t at = 0; at < text.size();) {
        const ssize_t wrote = write(ends[1], text.data() + at, text.size() - at);
        if (wrote <= 0) _exit(1);
        at += static_cast<size_t>(wrote);
      }
      _exit(0);
    }
    close(ends[1]);
    children_.push_back({&job, pid, ends[0], Clock::now() + limit_, {}});
    lines_.push_back(&line);
  }

  [[nodiscard]] size_t size() const { return children_.size(); }

  /// Waits until a child is done or has used up its time, and takes its report.
  void wait_for_one() {
    for (size_t done = children_.size(); done == children_.size();) {
      std::vector<pollfd> fds;
      for (const Child& child : children_) fds.push_back({child.pipe, POLLIN, 0});
      poll(fds.data(), fds.size(), 200);
      for (size_t i = 0; i < fds.size() && done == children_.size(); ++i)
        if ((fds[i].revents && at_end(children_[i])) || Clock::now() > children_[i].deadline) done = i;
      if (done < children_.size()) return finish(done);
    }
  }

 private:
  static bool at_end(Child& child) {
    char buffer[1 << 16];
    const ssize_t got = read(child.pipe, buffer, sizeof buffer);
    if (got > 0) child.output.append(buffer, static_cast<size_t>(got));
    return got <= 0;
  }

  void finish(size_t index) {
    Child child = std::move(children_[index]);
    const uint32_t line = **lines_[index];
    children_.erase(children_.begin() + static_cast<ptrdiff_t>(index));
    lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(index));
    kill(child.pid, SIGKILL);  // no harm to one that has ended: it is not yet waited for
    close(child.pipe);
    int status = 0;
    waitpid(child.pid, &status, 0);
    const Json json = Json::parse(child.output, nullptr, false);
    if (json.is_object()) {
      child.job->report = {json["passed"], json["skipped"], json["failures"]};
      return;
    }
    const bool late = Clock::now() > child.deadline;
    const std::string how = late                  ? "no end within " + std::to_string(limit_.count()) + " s"
                            : WIFSIGNALED(status) ? "killed by: " + std::string(strsignal(WTERMSIG(status)))
                                                  : "exited with " + std::to_string(WEXITSTATUS(status));
    child.job->report.failures.push_back(child.job->suite + "/" + child.job->json.filename().string() + ":" +
                                         std::to_string(line) + ": expected a report, got " + how);
  }

  std::chrono::seconds limit_;
  engine::Compiler* compiler_;
  std::vector<Child> children_;
  std::vector<SharedLine*> lines_;
};

}  // namespace

void run_isolated(std::vector<Job>& jobs, unsigned processes, std::chrono::seconds limit, engine::Compiler* compiler) {
  std::vector<SharedLine> lines(jobs.size());
  Pool pool(limit, compiler);
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (pool.size() == processes) pool.wait_for_one();
    pool.start(jobs[i], lines[i]);
  }
  while (pool.size()) pool.wait_for_one();
}

}  // namespace krait::spec
