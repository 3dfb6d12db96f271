// A question to the API server that is asked once, such as one that writes, and what it answers. Plain data.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/limits_kubernetes.h"
#include "k8s/object.h"

namespace trunkline::k8s {

inline constexpr const char* json_type = "application/json";
/// RFC 7386: what stands in the body is set, what is null there is removed.
inline constexpr const char* merge_patch_type = "application/merge-patch+json";

struct api_question {
  std::string method = "GET";
  std::string target;   ///< path and query
  json body = nullptr;  ///< null: none
  std::string type = json_type;
  std::chrono::milliseconds timeout = limits::k8s_ask_timeout;
};

struct api_answer {
  long status = 0;           ///< of HTTP; 0: there was no answer
  json body = nullptr;       ///< an object, or a Status
  std::string problem = {};  ///< empty: the status is one of success; else one line for the log
  std::chrono::seconds retry_after{0};
  std::optional<std::chrono::system_clock::time_point> server_time = {};  ///< to the second

  bool ok() const { return problem.empty(); }
  bool is_conflict() const { return status == 409; }
  bool is_missing() const { return status == 404; }
};

using api_reply = std::move_only_function<void(api_answer)>;

}  // namespace trunkline::k8s
