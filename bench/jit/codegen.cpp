// jit-codegen: compiles all of a module and says how long it took.
//   jit-codegen FILE [--threads N] [--without PASS] [--verify] [--json]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "jit/jit.hpp"

int main(int argc, char** argv) {
  krait::jit::Options options;
  std::string file;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--threads") && i + 1 < argc) options.threads = static_cast<uint32_t>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--without") && i + 1 < argc) options.disable.emplace_back(argv[++i]);
    else if (!std::strcmp(argv[i], "--json")) json = true;
    else if (!std::strcmp(argv[i], "--verify")) options.verify = true;
    else file = argv[i];
  }
  std::ifstream in(file, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto module = krait::engine::Module::compile(std::as_bytes(std::span<const char>(bytes)));
  if (!module) {
    std::fprintf(stderr, "jit-codegen: %s: %s\n", file.c_str(), module.error().to_string().c_str());
    return 1;
  }
  const krait::jit::CodegenReport report = krait::jit::report(*module, options);
  std::map<std::string, size_t> reasons;
  for (const auto& d : report.declined) ++reasons[d.why];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  if (json) {
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    std::printf("{\"functions\":%zu,\"code_bytes\":%zu,\"seconds\":%.4f,\"cpu_seconds\":%.4f,\"peak_bytes\":%ld,\"declined\":%zu}\n",
                report.functions, report.code_bytes, report.seconds, seconds(usage.ru_utime) + seconds(usage.ru_stime),
                usage.ru_maxrss * 1024, report.declined.size());
    return 0;
  }
  std::printf("%zu functions, %zu bytes of code, %.2f s, %ld MiB resident at most\n", report.functions, report.code_bytes,
              report.seconds, usage.ru_maxrss / 1024);
  for (const auto& [why, count] : reasons) std::printf("  left to the interpreter: %zu, %s\n", count, why.c_str());
}
