// What the benches of io/ print: a table for people, or with --json one object a line.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace krait::bench {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  static bool wants_json(int argc, char** argv) {
    return std::any_of(argv, argv + argc,
                       [](const char* argument) { return std::strcmp(argument, "--json") == 0; });
  }
  /// The median, the least and the greatest of `samples`.
  void add(const std::string& name, const char* unit, const std::vector<double>& samples) const {
    const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
    const double middle = median(samples);
    if (json_) {
      std::printf(
          "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"samples\":%"
          "zu}\n",
          name.c_str(), unit, middle, *least, *most, samples.size());
    } else {
      std::printf("%-52s %12.4g %-10s (%.4g .. %.4g, %zu runs)\n", name.c_str(), middle, unit,
                  *least, *most, samples.size());
    }
    std::fflush(stdout);
  }

 private:
  bool json_;
};

}  // namespace krait::bench
