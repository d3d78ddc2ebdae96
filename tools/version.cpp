// krait version
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {

void add_version(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("version", "Print the version and the engines of this build");
  verb->footer("Example:\n  krait version");
  verb->callback([&status] {
    std::string engines;
    for (const std::string& name : engine_names()) engines += (engines.empty() ? "" : ", ") + name;
    std::printf("krait %s (engines: %s)\n", KRAIT_VERSION, engines.c_str());
    status = Success;
  });
}

}  // namespace krait::tools
