// What has a trunkline on the path seen in production, and which way does it send our own session? It is
// asked over HTTP, on a thread apart, while a transaction of ours holds its server connection.
#include <fmt/format.h>

#include <string>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/gateway_report.h"
#include "doctor/session.h"
#include "http/http_client.h"
#include "runtime/apart.h"

namespace trunkline::doctor {
namespace {

/// Of the figures of a gateway with many routes.
constexpr std::size_t answer_bytes = std::size_t{32} * 1024 * 1024;

struct pages {
  result<http::answer> record;
  result<http::answer> slow;
  result<http::answer> sessions;
};

/// Blocks. The later pages are not asked for where the first one does not come.
pages fetch(const std::string& root, const std::string& application_name) {
  http::client over;
  const auto get = [&](const std::string& page) {
    return over.send({.url = root + page, .timeout = limits::doctor_patience, .answer_bytes = answer_bytes});
  };
  pages made{get("/api/v1/path"), http::answer{}, http::answer{}};
  if (!made.record || made.record->status != 200) return made;
  made.slow = get("/api/v1/exchanges");
  std::string name;
  for (const char each : application_name)
    name += each == ' ' ? "%20" : std::string(1, each);
  made.sessions = get("/api/v1/sessions?applicationName=" + name);
  return made;
}

/// Our session, and its ends as this host and the server call them.
struct place {
  bool taken = false;
  std::string client_is = {};
  std::string seen_as = {};
};

std::string address_text(std::string_view host, std::string_view port) {
  if (host.empty()) return "";
  const bool ipv6 = host.find(':') != host.npos;
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

/// A transaction: so it has a server connection, whatever the pooling is.
runtime::task<place> take_place(session* one) {
  place made;
  auto opened = co_await session::open(one);
  if (!opened) co_return made;
  made.client_is = net::socket_address::of_self(one->wire().socket()).text();
  auto begun = co_await session::query(one, "begin read only");
  if (!begun || begun->error) co_return made;
  auto asked = co_await session::query(one, "select host(inet_client_addr()), inet_client_port()");
  made.taken = asked && !asked->error;
  if (made.taken) made.seen_as = address_text(asked->at(0, 0), asked->at(0, 1));
  co_return made;
}

/// Why our own session is not among the gateway's.
judgement unseen(const place& ours, const result<http::answer>& answered) {
  if (!ours.taken) return could_not_tell("which way the gateway sends us: no session of ours is open");
  if (!answered) return could_not_tell("which way the gateway sends us: " + answered.error().message);
  if (answered->status != 200)
    return could_not_tell("which way the gateway sends us: it answers with " +
                          refusal_of(answered->status, answered->body));
  return could_not_tell(
      "the gateway that was asked does not have our session: it is not on this path, or is another one of "
      "several behind its address");
}

judgements judge(const pages& got, const place& ours, facts& known, const std::string& run) {
  if (!got.record) return {could_not_tell("the gateway does not answer: " + got.record.error().message)};
  if (got.record->status == 404)
    return {could_not_tell("whoever answers there has no /api/v1/path: it is no trunkline, or an older one")};
  if (got.record->status != 200)
    return {could_not_tell("the gateway answers with " + refusal_of(got.record->status, got.record->body))};
  const auto record = read_record(got.record->body);
  if (!record) return {could_not_tell("whoever answers there is no trunkline")};
  std::optional<gateway_session> own;
  if (ours.taken && got.sessions && got.sessions->status == 200) own = find_session(got.sessions->body, run);
  std::optional<slow_exchanges> slow;
  if (got.slow && got.slow->status == 200) slow = read_slow(got.slow->body);
  judgements made = judge_gateway(*record, slow, own);
  if (!own) made.push_back(unseen(ours, got.sessions));
  if (own) own->client_is = ours.client_is;
  if (own) own->seen_as = ours.seen_as;
  if (own && !known.server_leg_tls) known.server_leg_tls = !own->server_tls.empty();
  known.gateway = std::move(own);
  return made;
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  place ours;
  if (!of->known.server_version.empty()) ours = co_await take_place(&one);
  runtime::signal changed(*of->where);
  runtime::apart<pages> work(*of->where, changed);
  const bool accepted =
      work.start([root = of->how->gateway_url, name = of->run] { return fetch(root, name); });
  if (!accepted) co_return judgements{could_not_tell("this host has no thread to ask it")};
  while (!work.done())
    co_await changed.wait();
  const pages got = work.take();
  co_return judge(got, ours, of->known, of->run);
}

}  // namespace

const check gateway_check{.id = "gateway",
                          .title = "what the gateway has seen, and where it sends us",
                          .needs = need::nothing,
                          .run = run};

}  // namespace trunkline::doctor
