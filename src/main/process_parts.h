// What a serving process has before there is a gateway in it: where it logs, its client of the Kubernetes
// API, what its configurations make of files. Owner: the command; outlives the gateway.
#pragma once

#include <functional>

#include "main/kubernetes_desk.h"
#include "main/options.h"
#include "pool/upstream_news.h"
#include "session/file_parts.h"
#include "telemetry/logger.h"

namespace trunkline::main {

struct process_parts {
  explicit process_parts(const serve_options& options)
      : log(options.format, options.level, options.log_also), kubernetes(log) {}

  telemetry::logger log;
  kubernetes_desk kubernetes;
  session::file_parts files;
  /// Set before there is a gateway, called on the thread that watches servers.
  std::function<void(const pool::upstream_news&)> told_of_upstream = {};
};

}  // namespace trunkline::main
