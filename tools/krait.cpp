// The `krait` command: one verb a file. Exit statuses: the guest's own, else 0, 1 (it failed) or 2 (wrong usage).
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "tools/cli.hpp"

namespace {

constexpr const char* Footer = R"(Examples:
  krait upload demo hello examples/hello.py   keep a function in the store
  krait invoke demo hello                     call it: output to stdout, prints to stderr
  krait run script.py one two                 run a script as python3 would
  krait serve --port 8080                     the same over HTTP
  krait run --invoke add module.wasm 1 2      call an export of a wasm module

`krait VERB --help` says more of each.)";

/// "Usage: krait VERB ...": CLI11 itself leaves the program out where it speaks of a verb.
class Formatter : public CLI::Formatter {
 public:
  Formatter() { column_width(32); }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return CLI::Formatter::make_usage(app, app->get_parent() ? "krait " + name : name);
  }
};

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace krait::tools;
  // The guest's descriptors 0, 1 and 2 are ours: were one closed, the next file that we open would be it.
  for (int fd = 0; fd < 3; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR | O_CLOEXEC);
  // A guest that writes into a closed pipe gets EPIPE, as Python expects it.
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App app("Runs Python functions and wasm modules, each in its own WebAssembly sandbox.", "krait");
  app.footer(Footer);
  app.formatter(std::make_shared<Formatter>());
  app.set_version_flag("--version", "krait " KRAIT_VERSION, "Print the version and exit");
  int status = Success;
  add_upload(app, status);
  add_invoke(app, status);
  add_run(app, status);
  add_serve(app, status);
  add_codegen(app, status);
  add_disasm(app, status);
  add_paths(app, status);
  add_list(app, status);
  add_remove(app, status);
  add_version(app, status);
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return UsageError;
  }
  const std::string first = argv[1];
  const auto named_first = [&](const CLI::App* verb) { return verb->get_name() == first; };
  if (first[0] != '-' && app.get_subcommands(named_first).empty())
    return fail("no verb '" + first + "' (see krait --help)", UsageError);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) return fail("a verb is required (see krait --help)", UsageError);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* verb = &app;
    if (const auto verbs = app.get_subcommands(); !verbs.empty()) verb = verbs.front();
    std::fputs(verb->help().c_str(), stdout);
  } catch (const CLI::CallForVersion& version) {
    std::printf("%s\n", version.what());
  } catch (const CLI::ParseError& error) {
    return fail(one_line(error.what()) + " (see krait --help)", UsageError);
  }
  return status;
}
