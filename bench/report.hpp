// What the benches in C++ take and print: PROGRAM [--json] [--rounds N] [--seconds S] [ARGUMENT...]. A table for people, or with
// --json one object a line: {"name", "unit", "median", "min", "max", "p99", "samples"}.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace krait::bench {

/// The middle one, or the mean of the middle two. Not of nothing.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The least value that `share` (0 to 1) of them do not exceed.
inline double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[rank ? rank - 1 : 0];
}

class Report {
 public:
  Report(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word == "--json") json_ = true;
      else if (word == "--rounds" && i + 1 < argc) rounds_ = std::atoi(argv[++i]);
      else if (word == "--seconds" && i + 1 < argc) seconds_ = std::atof(argv[++i]);
      else arguments.emplace_back(word);
    }
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
  }

  /// How often to measure, and for how long at a time: the command line's word, else what the bench would have.
  [[nodiscard]] int rounds(int usual) const { return rounds_ > 0 ? rounds_ : usual; }
  [[nodiscard]] double seconds(double usual) const { return seconds_ > 0 ? seconds_ : usual; }

  void add(const std::string& name, const char* unit, const std::vector<double>& samples) const {
    const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
    const double middle = median(samples), high = percentile(samples, 0.99);
    if (json_) {
      std::printf(R"({"name":"%s","unit":"%s","median":%.6g,"min":%.6g,"max":%.6g,"p99":%.6g,"samples":%zu})" "\n", name.c_str(), unit,
                  middle, *least, *most, high, samples.size());
    } else {
      std::printf("%-52s %12.4g %-10s (%.4g .. %.4g, p99 %.4g, %zu runs)\n", name.c_str(), middle, unit, *least, *most, high,
                  samples.size());
    }
  }

  std::vector<std::string> arguments;  ///< what is left of the command line

 private:
  bool json_ = false;
  int rounds_ = 0;
  double seconds_ = 0;
};

}  // namespace krait::bench
