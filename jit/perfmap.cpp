// perf's map file: "start size name" lines in hex.
#include "jit/perfmap.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

namespace krait::jit {

void write_perf_map(const engine::Module& module, const Image& image) {
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (!file) return;
  const auto& functions = image.blob().functions;
  for (uint32_t i = 0; i < functions.size(); ++i)
    if (functions[i].end > functions[i].begin)
      std::fprintf(file, "%lx %x %s\n", reinterpret_cast<unsigned long>(image.base() + functions[i].begin),
                   functions[i].end - functions[i].begin, module.func_name(i).c_str());
  std::fclose(file);
}

}  // namespace krait::jit
