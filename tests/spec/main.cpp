// spec-runner: the spec's test suite against the engine, with a table of what passed, failed and was skipped.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "tests/spec/isolated.hpp"
#include "tests/support/compiler.hpp"

namespace {

using krait::spec::Job;
using krait::spec::Report;
namespace fs = std::filesystem;

/// Every script below `root`, by path; a suite is the folder that a script lies in.
std::vector<Job> find_scripts(const fs::path& root, const std::string& filter) {
  std::vector<Job> jobs;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".json" || path.filename() == "MANIFEST.json") continue;
    if (fs::relative(path, root).string().find(filter) == std::string::npos) continue;
    jobs.push_back({path, fs::relative(path.parent_path(), root).string(), {}});
  }
  std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.json < b.json; });
  return jobs;
}

void print_table(const std::map<std::string, Report>& suites) {
  std::printf("%-46s %8s %8s %8s\n", "suite", "passed", "failed", "skipped");
  for (const auto& [suite, report] : suites) {
    std::printf("%-46s %8lu %8zu %8lu\n", suite.c_str(), report.passed, report.failures.size(), report.skips());
    for (const auto& [reason, count] : report.skipped)
      std::printf("    %-58s %17lu\n", reason.c_str(), count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs the spec's test suite (wast2json's files) against the engine."};
  std::string root, engine = "interp", filter;
  unsigned processes = 2, seconds = 120;
  app.add_option("folder", root, "folder of the unpacked suite")->required()->check(CLI::ExistingDirectory);
  app.add_option("--engine", engine, "interp or jit");
  app.add_option("--only", filter, "only scripts whose path holds this text");
  app.add_option("--processes", processes, "scripts that run at once")->check(CLI::Range(1, 64));
  app.add_option("--timeout", seconds, "seconds for a script");
  CLI11_PARSE(app, argc, argv);

  const auto compiler = krait::test::compiler_named(engine);
  if (!compiler) {
    std::fprintf(stderr, "spec-runner: %s\n", compiler.error().message.c_str());
    return 2;
  }
  std::vector<Job> jobs = find_scripts(root, filter);
  krait::spec::run_isolated(jobs, processes, std::chrono::seconds(seconds), compiler->get());

  std::map<std::string, Report> suites;
  Report total;
  for (const Job& job : jobs) {
    for (const std::string& failure : job.report.failures) std::printf("%s\n", failure.c_str());
    suites[job.suite].add(job.report);
    total.add(job.report);
  }
  print_table(suites);
  std::printf("%lu passed, %zu failed, %lu skipped\n", total.passed, total.failures.size(), total.skips());
  return total.failures.empty() && !jobs.empty() ? 0 : 1;
}
