// How long the host's name takes to become an address, and what the search list costs.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/look_up.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr int tries = 10;
/// Beyond it the name is looked up no further: the resolver is slow enough.
constexpr auto enough = 4s;
/// resolv.conf(5): a resolver that does not answer is asked again after 5 s; a lost packet shows so.
constexpr auto stall = 2s;

struct search_rules {
  int ndots = 1;
  std::vector<std::string> domains;
};

/// As this process's resolver has them: /etc/resolv.conf, LOCALDOMAIN, RES_OPTIONS.
search_rules read_rules() {
  struct __res_state state{};
  search_rules made;
  if (::res_ninit(&state) != 0) return made;
  made.ndots = static_cast<int>(state.ndots);
  for (char** each = state.dnsrch; each != nullptr && *each != nullptr; ++each)
    if (**each != '\0') made.domains.emplace_back(*each);
  ::res_nclose(&state);
  return made;
}

runtime::task<outcome<std::vector<microseconds>>> time_name(examination* of, std::string name) {
  std::vector<microseconds> times;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < tries && std::chrono::steady_clock::now() - began < enough; ++i) {
    auto found = co_await look_up(of, name, of->server.port, 2 * limits::doctor_patience);
    if (!found) co_return std::unexpected(std::move(found.error()));
    times.push_back(found->took);
  }
  co_return times;
}

std::string rules_text(const search_rules& rules) {
  return fmt::format("ndots:{}, search {}", rules.ndots,
                     rules.domains.empty() ? "(none)" : fmt::format("{}", fmt::join(rules.domains, " ")));
}

judgement stalled(std::vector<std::string> evidence) {
  return {
      .is = verdict::finding,
      .summary = "looking up the host's name stalls",
      .evidence = std::move(evidence),
      .weight = severity::slow,
      .where = "between this host and its DNS resolver",
      .explanation =
          "A lost answer costs the resolver's timeout, five seconds as a rule. Each new connection "
          "may meet it.",
      .fix =
          "dnsConfig.options: single-request-reopen, ndots:\"1\"; NodeLocal DNSCache; the name with a final "
          "dot.",
      .pathologies = {"P21"}};
}

judgement searched(std::vector<std::string> evidence, const std::string& host) {
  return {.is = verdict::finding,
          .summary = "the search list is tried before the name itself",
          .evidence = std::move(evidence),
          .weight = severity::slow,
          .where = "name resolution on this host",
          .explanation =
              "The name has fewer dots than ndots asks for, so that each look-up first asks for it in "
              "every search domain, for A and for AAAA.",
          .fix = "Write the name with a final dot (" + host +
                 ".), or set dnsConfig.options ndots:\"1\" in the pod.",
          .pathologies = {"P21"}};
}

runtime::task<judgements> run(examination* of) {
  const std::string host = of->server.reached_at;
  if (!needs_look_up(of->server)) co_return judgements{fine("no name has to be looked up")};
  auto plain = co_await time_name(of, host);
  if (!plain) co_return judgements{could_not_tell(plain.error().text)};
  of->known.look_up = median(*plain);
  const search_rules rules = read_rules();
  std::vector<std::string> evidence{
      fmt::format("{}: median {}, worst {} of {}", host, text_of(median(*plain)), text_of(most(*plain)),
                  plain->size()),
      rules_text(rules)};
  if (most(*plain) >= stall) co_return judgements{stalled(std::move(evidence))};
  const bool is_absolute = host.ends_with('.');
  const bool goes_first = std::ranges::count(host, '.') < rules.ndots && !rules.domains.empty();
  // "localhost" and whatever stands in the hosts file costs nothing either way.
  if (is_absolute || !goes_first)
    co_return judgements{fine("names are looked up quickly", std::move(evidence))};
  auto absolute = co_await time_name(of, host + ".");
  if (!absolute) co_return judgements{fine("only the search list knows the name", std::move(evidence))};
  evidence.push_back(fmt::format("{}.: median {}", host, text_of(median(*absolute))));
  const bool costs = median(*plain) > 2 * median(*absolute) && median(*plain) > median(*absolute) + 1ms;
  if (costs) co_return judgements{searched(std::move(evidence), host)};
  co_return judgements{fine("names are looked up quickly", std::move(evidence))};
}

}  // namespace

const check dns_check{
    .id = "dns", .title = "the name is looked up quickly", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
