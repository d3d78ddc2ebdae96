// Runs scripts in processes of their own, so that a crash or an endless loop costs one script, not the run.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/spec/script.hpp"

namespace krait::spec {

struct Job {
  std::filesystem::path json;
  std::string suite;
  Report report;
};

/// Fills the reports. At most `processes` run at once, each for at most `limit`. A script that crashes or is
/// ended for its time has one failure that names the line it had reached.
void run_isolated(std::vector<Job>& jobs, unsigned processes, std::chrono::seconds limit, engine::Compiler* compiler);

}  // namespace krait::spec
