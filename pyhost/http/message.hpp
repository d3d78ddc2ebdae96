// HTTP messages, as handlers see them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace krait::pyhost::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// Names compare without regard to case. Null if there is none; the first if there are several.
const std::string* find_field(const Fields& fields, std::string_view name);

struct Request {
  std::string method;
  std::string target;  ///< as sent: path and query, percent-encoded
  Fields fields;
  std::string body;  ///< any bytes; chunks joined
};

struct Response {
  unsigned status = 200;
  Fields fields;  ///< the server adds Content-Length, Connection and Date itself; these must not be
                  ///< here
  std::string body;  ///< any bytes; not sent to HEAD, nor with 204 and 304
};

}  // namespace krait::pyhost::http
