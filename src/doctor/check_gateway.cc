// What has a trunkline on the path seen in production? It is asked over HTTP, off the loop.
#include <fmt/format.h>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/gateway_metrics.h"
#include "http/http_client.h"
#include "runtime/signal.h"
#include "runtime/work_pool.h"

namespace trunkline::doctor {
namespace {

/// Of the metrics of a gateway with many routes.
constexpr std::size_t answer_bytes = std::size_t{32} * 1024 * 1024;

runtime::task<judgements> run(examination* of) {
  runtime::signal changed(*of->where);
  runtime::job<result<http::answer>> work(*of->where, *of->work, changed);
  const bool accepted = work.start([url = of->how->gateway_url + "/metrics"] {
    return http::client().send(
        {.url = url, .timeout = limits::doctor_patience, .answer_bytes = answer_bytes});
  });
  if (!accepted) co_return judgements{could_not_tell("too much waits to be done")};
  while (!work.done())
    co_await changed.wait();
  const auto got = work.take();
  if (!got) co_return judgements{could_not_tell("the gateway does not answer: " + got.error().message)};
  if (got->status != 200)
    co_return judgements{could_not_tell(fmt::format("the gateway answers with status {}", got->status))};
  const gateway_counts seen = read_metrics(got->body);
  if (seen.closes.empty() && seen.phases.empty())
    co_return judgements{could_not_tell("whoever answers there has no metrics of a trunkline's sessions")};
  co_return judge_gateway(seen);
}

}  // namespace

const check gateway_check{
    .id = "gateway", .title = "what the gateway has seen", .needs = need::nothing, .run = run};

}  // namespace trunkline::doctor
