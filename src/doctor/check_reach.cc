// Does anybody accept a connection? Every address of every host of the DSN is tried.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/icmp.h"
#include "doctor/line.h"
#include "doctor/look_up.h"
#include "doctor/together.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

struct attempt {
  client::server_address server;
  net::socket_address address;  ///< empty: there is none
  microseconds took{0};
  std::optional<failure> wrong = {};
  std::optional<icmp_refusal> refusal = {};

  std::string text() const {
    const std::string place = address.family() == 0 ? server.text() : address.text();
    if (!wrong) return place + ": accepted in " + text_of(took);
    if (refusal) return fmt::format("{}: refused by {} (ICMP: {})", place, refusal->from, refusal->what);
    return place + ": " + wrong->text;
  }
};

runtime::task<void> try_one(examination* of, attempt* one) {
  line wire(*of);
  wire.keep_icmp();
  const auto began = std::chrono::steady_clock::now();
  auto connected = co_await line::connect_to(&wire, one->address);
  one->took = since(began);
  if (connected) co_return;
  one->wrong = std::move(connected.error());
  if (wire.socket() >= 0) one->refusal = read_icmp(wire.socket());
}

runtime::task<void> find_addresses(examination* of, client::server_address server,
                                   std::vector<attempt>* into) {
  if (server.is_unix()) {
    auto path =
        net::socket_address::unix_path(server.reached_at + "/.s.PGSQL." + std::to_string(server.port));
    if (path) into->push_back({.server = server, .address = *path});
    if (!path)
      into->push_back({.server = server,
                       .address = {},
                       .wrong = failure{failure::kind::no_address, path.error().message}});
    co_return;
  }
  if (auto literal = net::socket_address::ip(server.reached_at, server.port)) {
    into->push_back({.server = server, .address = *literal});
    co_return;
  }
  auto found = co_await look_up(of, server.reached_at, server.port, 2 * limits::doctor_patience);
  if (!found) {
    // Late or refused: there is no address.
    failure none{failure::kind::no_address, std::move(found.error().text)};
    into->push_back({.server = server, .address = {}, .wrong = std::move(none)});
    co_return;
  }
  for (const auto& each : found->addresses)
    into->push_back({.server = server, .address = each});
}

/// Who refused says so himself.
void blame(judgement& made, const attempt& refused) {
  made.where = refused.refusal->from;
  if (refused.address.host_text() == made.where) made.where += " (the host itself)";
  made.explanation =
      "An ICMP message came back instead of a connection (" + refused.refusal->what +
      "). A firewall or NetworkPolicy that rejects says \"prohibited\" or \"port unreachable\"; a router "
      "says \"host\" or \"network unreachable\" where the address is gone or it knows no way there.";
  made.fix =
      "There: the rule that rejects this port, or the route to the address. Allow egress from this pod and "
      "ingress to the server's pods.";
  made.pathologies = {"P24"};
}

judgement nobody(const std::vector<attempt>& all, std::vector<std::string> evidence) {
  const auto only = [&](failure::kind which) {
    return std::ranges::all_of(all, [=](const attempt& each) { return each.wrong->what == which; });
  };
  judgement made{.is = verdict::finding,
                 .summary = "nobody accepts a connection",
                 .evidence = std::move(evidence),
                 .weight = severity::broken,
                 .where = "between this host and " + all.front().server.text()};
  const auto refused =
      std::ranges::find_if(all, [](const attempt& each) { return each.refusal.has_value(); });
  if (refused != all.end()) {
    blame(made, *refused);
  } else if (only(failure::kind::no_address)) {
    made.summary = "the host's name has no address";
    made.where = "name resolution on this host";
    made.explanation = "The resolver says that there is nothing by this name, or did not answer.";
    made.fix =
        "Check the name and the namespace (service.namespace.svc.cluster.local.), and /etc/resolv.conf.";
    made.pathologies = {"P21"};
  } else if (only(failure::kind::refused)) {
    made.explanation =
        "Somebody answered with a RST at once: no process listens on that port, a Service has no "
        "ready endpoint, or a sidecar has not started yet.";
    made.fix =
        "Check that the server or proxy listens on this address and port; of a Service: its endpoints and "
        "targetPort. Where it is so only in a pod's first seconds: a native sidecar (initContainer with "
        "restartPolicy: Always), or holdApplicationUntilProxyStarts.";
    made.pathologies = {"P15"};
  } else if (only(failure::kind::unreachable)) {
    made.where = "this host, or its own network";
    made.explanation = "This host has no route to the address, or nobody there answers to it (ARP).";
    made.fix = "ip route get ADDRESS; the pod's network, and IPv6 where only IPv4 is routed.";
  } else if (only(failure::kind::timed_out)) {
    made.explanation =
        "The SYN was neither answered nor refused: a NetworkPolicy, a security group or a firewall "
        "drops it, or the address is gone. A client without connect_timeout waits about two minutes.";
    made.fix =
        "Allow egress from this pod and ingress to the server's pods for this port (Linkerd: 4143); set "
        "connect_timeout in the DSN.";
    made.pathologies = {"P24", "P25"};
  }
  return made;
}

/// A SYN that was sent again takes one second more, then three, then seven.
bool was_sent_again(microseconds took) {
  return (took > 950ms && took < 1'300ms) || (took > 2'900ms && took < 3'400ms);
}

judgements judge(const std::vector<attempt>& all, const client::conninfo& dsn) {
  std::vector<std::string> evidence;
  for (const auto& each : all)
    evidence.push_back(each.text());
  const auto good = std::ranges::find_if(all, [](const attempt& each) { return !each.wrong; });
  if (good == all.end()) return {nobody(all, std::move(evidence))};
  judgements made;
  const auto dead = std::ranges::find_if(
      all.begin(), good, [](const attempt& each) { return each.wrong->what == failure::kind::timed_out; });
  if (dead != good && dsn.connect_timeout.count() == 0)
    made.push_back(
        {.is = verdict::finding,
         .summary = "an address that does not answer comes before the one that does",
         .evidence = evidence,
         .weight = severity::slow,
         .where = "the DSN",
         .explanation = "Clients try the addresses in turn. Without connect_timeout each attempt on a "
                        "silent one takes about two minutes.",
         .fix = "Set connect_timeout=3 in the DSN; take the dead address out of the list or out of DNS.",
         .pathologies = {"P25"}});
  const bool again =
      std::ranges::any_of(all, [](const attempt& each) { return !each.wrong && was_sent_again(each.took); });
  if (again)
    made.push_back(
        {.is = verdict::finding,
         .summary = "the SYN had to be sent again",
         .evidence = evidence,
         .weight = severity::slow,
         .sure = confidence::hint,
         .where = "between this host and " + good->server.text(),
         .explanation = "The connection took a second or three more, which is when Linux repeats a lost "
                        "SYN: a full accept queue, a full conntrack table, or two flows that got the "
                        "same source port.",
         .fix = "net.core.somaxconn and a pool before the server; conntrack-max-per-core; masquerade "
                "with --random-fully.",
         .pathologies = {"P06", "P18", "P20"}});
  if (made.empty())
    made.push_back(fine(fmt::format("{} accepts connections", good->address.text()), std::move(evidence)));
  return made;
}

runtime::task<judgements> run(examination* of) {
  std::vector<attempt> all;
  for (const auto& server : of->dsn->servers)
    co_await find_addresses(of, server, &all);
  together tries(*of->where);
  for (auto& each : all)
    if (!each.wrong) tries.add(try_one(of, &each));
  co_await together::all(&tries);
  const auto good = std::ranges::find_if(all, [](const attempt& each) { return !each.wrong; });
  if (good != all.end()) {
    of->server = good->server;
    of->target = good->address;
    of->known.address = good->address.text();
    for (const auto& each : all)
      if (each.server.text() == good->server.text()) of->addresses.push_back(each.address);
  }
  co_return judge(all, *of->dsn);
}

}  // namespace

const check reach_check{
    .id = "reach", .title = "somebody accepts a connection", .needs = need::nothing, .run = run};

}  // namespace trunkline::doctor
