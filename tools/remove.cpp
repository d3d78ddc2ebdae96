// krait remove USER FUNC
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer = R"(Example:
  krait remove demo hello)";

int remove(const std::string& user, const std::string& function) {
  auto functions = open_functions();
  if (!functions) return fail(functions.error().to_string());
  for (const auto& checked : {store::check_name("user", user), store::check_name("function", function)})
    if (!checked) return fail(checked.error().to_string(), UsageError);
  const auto removed = functions->remove(user, function);
  if (!removed) return fail(removed.error().to_string());
  if (!*removed) return fail("no function " + user + "/" + function + " in " + functions->home().string());
  std::printf("removed %s/%s\n", user.c_str(), function.c_str());
  return Success;
}

}  // namespace

void add_remove(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("remove", "Remove a stored function");
  const auto names = std::make_shared<std::pair<std::string, std::string>>();
  verb->add_option("USER", names->first, "Who the function belongs to")->required();
  verb->add_option("FUNC", names->second, "Its name")->required();
  verb->footer(Footer);
  verb->callback([names, &status] { status = remove(names->first, names->second); });
}

}  // namespace krait::tools
