#include "telemetry/route_exposition.h"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::telemetry {
namespace {

/// What the workers hold of one route.
using parts = std::vector<const route_metrics*>;
using grouped = std::map<std::pair<std::string_view, std::string_view>, parts>;

grouped by_route(std::span<const route_metrics* const> routes) {
  grouped made;
  for (const route_metrics* each : routes)
    made[{each->route, each->upstream}].push_back(each);
  return made;
}

template <class Pick>
std::uint64_t sum(const parts& of, Pick pick) {
  std::uint64_t found = 0;
  for (const route_metrics* each : of)
    found += pick(*each).value();
  return found;
}

class exposition {
 public:
  exposition(metrics_writer& out, std::span<const route_metrics* const> routes)
      : out_(out), routes_(by_route(routes)) {}

  template <class Pick>
  void counter(const metric_family& which, Pick pick) {
    out_.family(which);
    for (const auto& [name, of] : routes_)
      out_.sample({{"route", name.first}, {"upstream", name.second}}, sum(of, pick));
  }

  /// One series for each name; `pick` gives the counter of a route and an index.
  template <std::size_t Count, class Pick>
  void counters(const metric_family& which, std::string_view label,
                const std::array<std::string_view, Count>& names, Pick pick) {
    out_.family(which);
    for (const auto& [name, of] : routes_) {
      for (std::size_t i = 0; i < Count; ++i) {
        out_.sample({{"route", name.first}, {"upstream", name.second}, {label, names[i]}},
                    sum(of, [&](const route_metrics& one) -> const auto& { return pick(one, i); }));
      }
    }
  }

  template <class Pick>
  void histogram(const metric_family& which, Pick pick) {
    out_.family(which);
    for (const auto& [name, of] : routes_)
      distribution({{"route", name.first}, {"upstream", name.second}}, of, pick);
  }

  template <std::size_t Count, class Pick>
  void histograms(const metric_family& which, std::string_view label,
                  const std::array<std::string_view, Count>& names, Pick pick) {
    out_.family(which);
    for (const auto& [name, of] : routes_) {
      for (std::size_t i = 0; i < Count; ++i) {
        distribution({{"route", name.first}, {"upstream", name.second}, {label, names[i]}}, of,
                     [&](const route_metrics& one) -> const auto& { return pick(one, i); });
      }
    }
  }

  void open_sessions() {
    out_.family(metric::sessions);
    for (const auto& [name, of] : routes_) {
      std::uint64_t open = 0;
      for (const route_metrics* each : of)
        open += each->open_sessions();
      out_.sample({{"route", name.first}, {"upstream", name.second}}, open);
    }
  }

  /// Only the classes that were seen: there are 1,296.
  void errors() {
    out_.family(metric::errors);
    for (const auto& [name, of] : routes_) {
      for (std::size_t i = 0; i < std::tuple_size_v<decltype(route_metrics::errors_by_class)>; ++i) {
        const auto count =
            sum(of, [&](const route_metrics& one) -> const auto& { return one.errors_by_class[i]; });
        if (count == 0) continue;
        const auto letters = class_of_index(i);
        out_.sample({{"route", name.first},
                     {"upstream", name.second},
                     {"sqlstate_class", std::string_view(letters.data(), letters.size())}},
                    count);
      }
    }
  }

  /// Only the names that were seen.
  template <class Names, class Of>
  void seen(const metric_family& family, std::string_view label, const Names& names, Of of_one) {
    out_.family(family);
    for (const auto& [name, of] : routes_) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        const auto count = sum(of, [&](const route_metrics& one) -> const auto& { return of_one(one, i); });
        if (count == 0) continue;
        out_.sample({{"route", name.first}, {"upstream", name.second}, {label, names[i]}}, count);
      }
    }
  }

  /// Only the reasons that were seen.
  void pins() {
    for (const bool now : {true, false}) {
      out_.family(now ? metric::pinned_sessions : metric::pins);
      for (const auto& [name, of] : routes_) {
        for (std::size_t i = 0; i < pin_reason_count; ++i) {
          const auto ever = sum(of, [&](const route_metrics& one) -> const auto& { return one.pins[i]; });
          if (ever == 0) continue;
          std::uint64_t pinned = 0;
          for (const route_metrics* each : of)
            pinned += each->pinned_sessions(i);
          out_.sample({{"route", name.first}, {"upstream", name.second}, {"reason", pin_reason_names[i]}},
                      now ? pinned : ever);
        }
      }
    }
  }

  /// What comes in on one leg goes out on the other.
  void bytes() {
    out_.family(metric::bytes);
    const auto write = [&](const auto& name, const parts& of, side leg, std::string_view direction,
                           side from) {
      out_.sample({{"route", name.first},
                   {"upstream", name.second},
                   {"leg", side_names[static_cast<std::size_t>(leg)]},
                   {"direction", direction}},
                  sum(of, [&](const route_metrics& one) -> const auto& {
                    return one.bytes_received[static_cast<std::size_t>(from)];
                  }));
    };
    for (const auto& [name, of] : routes_) {
      write(name, of, side::client, "received", side::client);
      write(name, of, side::client, "sent", side::server);
      write(name, of, side::server, "received", side::server);
      write(name, of, side::server, "sent", side::client);
    }
  }

 private:
  template <class Pick>
  void distribution(metric_labels labels, const parts& of, Pick pick) {
    using one_histogram = std::remove_cvref_t<decltype(pick(*of.front()))>;
    std::array<std::uint64_t, one_histogram::bucket_count> buckets{};
    std::uint64_t sum_ns = 0;
    for (const route_metrics* each : of) {
      const one_histogram& from = pick(*each);
      for (std::size_t i = 0; i < buckets.size(); ++i)
        buckets[i] += from.bucket(i);
      sum_ns += from.sum_ns();
    }
    out_.distribution(labels, one_histogram::bounds(), buckets, sum_ns);
  }

  metrics_writer& out_;
  grouped routes_;
};

std::array<std::string_view, cause_count> cause_names() {
  std::array<std::string_view, cause_count> names;
  for (std::size_t i = 0; i < cause_count; ++i)
    names[i] = name_of(static_cast<cause>(i));
  return names;
}

}  // namespace

void write_routes(metrics_writer& to, std::span<const route_metrics* const> routes) {
  using one = const route_metrics&;
  exposition out(to, routes);
  out.open_sessions();
  out.counter(metric::sessions_total, [](one from) -> const auto& { return from.sessions_begun; });
  out.counters(metric::session_closes, "cause", cause_names(),
               [](one from, std::size_t i) -> const auto& { return from.closes[i]; });
  out.histograms(metric::idle_before_death, "leg", side_names,
                 [](one from, std::size_t i) -> const auto& { return from.idle_before_death[i]; });
  out.histograms(metric::login_seconds, "phase", login_phase_names,
                 [](one from, std::size_t i) -> const auto& { return from.login_seconds[i]; });
  out.histograms(metric::exchange_seconds, "phase", phase_names,
                 [](one from, std::size_t i) -> const auto& { return from.exchange_seconds[i]; });
  out.counters(metric::exchanges, "outcome", outcome_names,
               [](one from, std::size_t i) -> const auto& { return from.exchanges[i]; });
  out.errors();
  out.bytes();
  out.histogram(metric::client_think, [](one from) -> const auto& { return from.client_think; });
  out.histogram(metric::idle_in_transaction,
                [](one from) -> const auto& { return from.idle_in_transaction; });
  out.pins();
  out.seen(metric::policy_decisions, "outcome", policy_outcome_names,
           [](one from, std::size_t i) -> const auto& { return from.policy_decisions[i]; });
  out.seen(metric::policy_denied_statements, "class", statement_refusal_names,
           [](one from, std::size_t i) -> const auto& { return from.denied_statements[i]; });
  out.histograms(metric::tcp_rtt, "leg", side_names,
                 [](one from, std::size_t i) -> const auto& { return from.tcp_rtt[i]; });
  out.counters(metric::tcp_retransmits, "leg", side_names,
               [](one from, std::size_t i) -> const auto& { return from.tcp_retransmits[i]; });
}

}  // namespace trunkline::telemetry
