#include "doctor/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "doctor/figures.h"

namespace trunkline::doctor {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

/// The check `index`, path by path.
void isolate(std::vector<path_result>& paths, std::size_t index, judgements& into) {
  std::vector<std::string> wrong;
  std::vector<std::string> right;
  for (const auto& path : paths) {
    if (index >= path.checks.size()) return;
    const verdict worst = path.checks[index].worst();
    if (worst == verdict::finding) wrong.push_back(path.label);
    if (worst == verdict::ok) right.push_back(path.label);
  }
  if (wrong.empty() || right.empty()) return;
  for (auto& path : paths) {
    for (auto& one : path.checks[index].said) {
      if (one.is != verdict::finding) continue;
      one.where = fmt::format("what path {} has and {} has not", path.label, joined(right));
      one.sure = confidence::certain;
      one.evidence.push_back(fmt::format("the same check is silent on {}", joined(right)));
    }
  }
  into.push_back(fine(fmt::format("{}: found on {}, not on {}", paths.front().checks[index].of->title,
                                  joined(wrong), joined(right))));
}

/// Two paths that should lead to one server and end in different ones.
void tell_servers_apart(const std::vector<path_result>& paths, judgements& into) {
  std::vector<std::string> seen;
  for (const auto& path : paths)
    if (!path.known.system_identifier.empty())
      seen.push_back(path.label + ": system " + path.known.system_identifier);
  const auto differs = [&](const path_result& path) {
    return !path.known.system_identifier.empty() &&
           path.known.system_identifier != paths.front().known.system_identifier;
  };
  if (paths.front().known.system_identifier.empty() || std::ranges::none_of(paths, differs)) return;
  into.push_back(
      {.is = verdict::finding,
       .summary = "the paths lead to different database systems",
       .evidence = std::move(seen),
       .weight = severity::broken,
       .sure = confidence::certain,
       .where = "where the paths part",
       .explanation =
           "Each database system has an identifier of its own (pg_control_system()). If these DSNs "
           "are meant to reach one database, something sends one of them elsewhere: in a service "
           "mesh, a TCP ServiceEntry without addresses takes all traffic of its port.",
       .fix = "Istio ServiceEntry: set `addresses:`, or a port of its own; and `exportTo: [\".\"]`.",
       .pathologies = {"P14"}});
}

/// What a round trip costs on each path.
void compare_trips(const std::vector<path_result>& paths, judgements& into) {
  std::vector<std::string> trips;
  for (const auto& path : paths)
    if (path.known.syn)
      trips.push_back(fmt::format(
          "{}: {} to whoever answers first{}", path.label, text_of(*path.known.syn),
          path.known.query_trip ? ", " + text_of(*path.known.query_trip) + " for SELECT 1" : std::string()));
  if (trips.size() > 1) into.push_back(fine("round trips", std::move(trips)));
}

}  // namespace

judgements compare(std::vector<path_result>& paths) {
  judgements made;
  if (paths.size() < 2) return made;
  for (std::size_t i = 0; i < paths.front().checks.size(); ++i)
    isolate(paths, i, made);
  tell_servers_apart(paths, made);
  compare_trips(paths, made);
  return made;
}

}  // namespace trunkline::doctor
