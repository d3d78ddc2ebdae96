// krait list
#include <algorithm>
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer = R"(A function a line: USER/FUNC, its kind, its size in bytes, when it was uploaded (UTC).

Examples:
  krait list
  krait list demo)";

int list(const std::string& user) {
  const auto functions = open_functions();
  if (!functions) return fail(functions.error().to_string());
  const auto listing = functions->list(user);
  if (!listing) return fail(listing.error().to_string(), UsageError);
  int width = 0;
  for (const auto& info : listing->functions)
    width = std::max(width, static_cast<int>(info.user.size() + 1 + info.name.size()));
  for (const auto& info : listing->functions)
    std::printf("%-*s  %-6s  %9llu  %s\n", width, (info.user + "/" + info.name).c_str(), name_of(info.kind),
                static_cast<unsigned long long>(info.size), info.uploaded.c_str());
  for (const Error& error : listing->damaged) fail(error.to_string());
  return listing->damaged.empty() ? Success : Failed;
}

}  // namespace

void add_list(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("list", "List the stored functions");
  const auto user = std::make_shared<std::string>();
  verb->add_option("USER", *user, "Only this user's");
  verb->footer(Footer);
  verb->callback([user, &status] { status = list(*user); });
}

}  // namespace krait::tools
