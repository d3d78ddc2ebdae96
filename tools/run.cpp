// krait run FILE: a Python script or a wasm module, from its file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer =
    R"(FILE is a Python script (- reads it from stdin) or a wasm module in the binary format; what follows
it belongs to the guest. The guest has this process's stdin, stdout and stderr. Of the files it sees
the script's folder (read only) and the folders given by --dir, and of the environment what --env
gives. The exit status is the guest's; 134 after a trap, whose backtrace goes to stderr.

Examples:
  krait run script.py one two
  krait run --dir . --env DEBUG=1 script.py       the current folder, seen as /
  krait run --dir /data::/in script.py /in/a.csv
  krait run --entry main script.py
  krait run --allow-net example.org:80 script.py
  krait run module.wasm arg
  krait run --invoke add module.wasm 1 2)";

struct Options {
  std::vector<std::string> dirs, env;
  std::string entry, invoke;
  CLI::Option *entry_option = nullptr, *invoke_option = nullptr;
  NetOption net;
  EngineOption engine;
};

/// FILE and ARGS are no positionals for CLI11 (see prefix_command below), so its own usage line lacks them.
class UsageFormatter : public CLI::Formatter {
 public:
  UsageFormatter() { column_width(32); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: krait run [OPTIONS] FILE [ARGS...]\n";
  }
};

/// What the options say, in pyhost's terms.
struct Setting {
  std::vector<pyhost::HostMount> mounts;
  std::vector<std::pair<std::string, std::string>> env;
  std::shared_ptr<const pyhost::NetPolicy> network;
  engine::Compiler* compiler = nullptr;
};

Result<Setting> setting_of(const Options& options) {
  Setting setting;
  for (const std::string& dir : options.dirs) {
    auto mount = pyhost::parse_mount(dir);
    if (!mount) return Error{"--dir " + dir + ": " + mount.error().message};
    setting.mounts.push_back(std::move(*mount));
  }
  for (const std::string& variable : options.env) {
    const size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos) return Error{"--env " + variable + ": give NAME=VALUE"};
    setting.env.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  auto network = options.net.policy();
  if (!network) return std::move(network.error());
  setting.network = std::move(*network);
  const auto compiler = options.engine.compiler();
  if (!compiler) return compiler.error();
  setting.compiler = *compiler;
  return setting;
}

/// An error where `path` is no file that can be read; else whether it is a wasm module.
Result<bool> probe(const std::string& path) {
  if (path == "-") return false;  // a script from standard input
  struct stat info {};
  const auto failed = [&](int error) { return Error{"cannot read " + path + ": " + std::strerror(error)}; };
  if (::stat(path.c_str(), &info) != 0) return failed(errno);
  if (S_ISDIR(info.st_mode)) return failed(EISDIR);
  const store::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failed(errno);
  std::array<std::byte, 4> magic{};
  const ssize_t n = S_ISREG(info.st_mode) ? ::read(file.get(), magic.data(), magic.size()) : 0;
  if (n < 0) return failed(errno);
  return is_wasm(std::span(magic).first(static_cast<size_t>(n))) || path.ends_with(".wasm");
}

int run_python(const Options& options, Setting setting, const std::vector<std::string>& words) {
  const auto runtime = load_python(setting.compiler);
  if (!runtime) return fail(runtime.error().to_string());
  pyhost::PythonOptions python;
  python.env = pyhost::default_python_env();
  for (auto& variable : setting.env) python.env.push_back(std::move(variable));
  python.mounts = std::move(setting.mounts);
  python.network = std::move(setting.network);
  const std::vector<std::string> args(words.begin() + 1, words.end());
  const auto ended = pyhost::run_script(*runtime, words[0], args, options.entry, std::move(python));
  if (!ended) return fail(ended.error().to_string());
  leave(report(*ended));
}

int run_wasm(const Options& options, Setting setting, const std::vector<std::string>& words) {
  const auto bytes = read_input(words[0]);
  if (!bytes) return fail(bytes.error().to_string());
  const auto module = engine::Module::compile(std::span<const std::byte>(*bytes));
  if (!module) return fail(words[0] + ": " + module.error().to_string());
  pyhost::CommandOptions command;
  command.args = words;
  command.env = std::move(setting.env);
  command.mounts = std::move(setting.mounts);
  command.store.compiler = setting.compiler;
  if (!options.invoke_option->count()) {
    const auto ended = pyhost::run_command(*module, command);
    if (!ended) return fail(ended.error().to_string());
    return report(*ended);
  }
  command.args.resize(1);
  const std::vector<std::string> args(words.begin() + 1, words.end());
  const auto invoked = pyhost::invoke_export(*module, options.invoke, args, command);
  if (!invoked) return fail(invoked.error().to_string());
  for (const std::string& result : invoked->results) std::printf("%s\n", result.c_str());
  std::fflush(stdout);
  return report(invoked->ended);
}

int run(const Options& options, const std::vector<std::string>& words) {
  if (words.empty()) return fail("run: FILE is required (see krait run --help)", UsageError);
  if (words[0].size() > 1 && words[0][0] == '-')
    return fail("run: unknown option " + words[0] + " (see krait run --help)", UsageError);
  auto setting = setting_of(options);
  if (!setting) return fail(setting.error().message, UsageError);
  const auto wasm = probe(words[0]);
  if (!wasm) return fail(wasm.error().message);
  if (*wasm && options.entry_option->count())
    return fail("--entry is for Python; --invoke calls an export of a wasm module", UsageError);
  if (!*wasm && options.invoke_option->count())
    return fail("--invoke is for wasm modules; --entry calls a function of a Python file", UsageError);
  return *wasm ? run_wasm(options, std::move(*setting), words) : run_python(options, std::move(*setting), words);
}

}  // namespace

void add_run(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("run", "Run a Python script or a wasm module from its file");
  const auto options = std::make_shared<Options>();
  const auto listed = [&](const char* name, std::vector<std::string>& values, const char* text) {
    return verb->add_option(name, values, text)
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  listed("--dir", options->dirs, "A folder that the guest sees, as GUEST or as what it is called here; :ro keeps it from writing")
      ->type_name("HOST[::GUEST][:ro]");
  listed("--env", options->env, "A variable of the guest's environment")->type_name("NAME=VALUE");
  options->entry_option = verb->add_option("--entry", options->entry, "Call this function of the Python file");
  options->invoke_option =
      verb->add_option("--invoke", options->invoke, "Call this export with the arguments, and print its results");
  options->net.add_to(*verb);
  options->engine.add_to(*verb);
  verb->formatter(std::make_shared<UsageFormatter>());
  verb->prefix_command();  // what follows FILE is the guest's, options too
  verb->footer(Footer);
  verb->callback([options, verb, &status] { status = run(*options, verb->remaining()); });
}

}  // namespace krait::tools
