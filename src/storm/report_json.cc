#include "storm/report_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/seconds.h"
#include "storm/figures.h"

namespace trunkline::storm {
namespace {

using json = nlohmann::ordered_json;

json figures(const hdr_histogram& of) {
  return {{"count", of.count()},
          {"min", seconds_of(of.smallest())},
          {"mean", seconds_of(of.mean())},
          {"p50", seconds_of(of.at(0.5))},
          {"p90", seconds_of(of.at(0.9))},
          {"p99", seconds_of(of.at(0.99))},
          {"p999", seconds_of(of.at(0.999))},
          {"p9999", seconds_of(of.at(0.9999))},
          {"max", seconds_of(of.largest())}};
}

json example(const finding& of) {
  return {{"at", seconds_of(of.at)},
          {"seconds", seconds_of(of.took)},
          {"silence", seconds_of(of.silence)},
          {"client", of.client},
          {"session", of.session},
          {"localPort", of.local_port},
          {"workload", name_of(of.during)},
          {"message", of.what.message}};
}

json findings(const finding_book& book) {
  json list = json::array();
  for (const auto& group : book.groups()) {
    json one{{"fault", facts_of(group.what).name},      {"answer", name_of(facts_of(group.what).answer)},
             {"stage", name_of(group.where)},           {"count", group.count},
             {"firstAt", seconds_of(group.first)},      {"lastAt", seconds_of(group.last)},
             {"meaning", facts_of(group.what).meaning}, {"worst", json::array()}};
    if (!group.code.empty()) one["sqlstate"] = group.code;
    for (std::size_t i = 0; i < workload_count; ++i)
      if (group.by_workload[i] > 0)
        one["workloads"][std::string(workload_kinds[i].name)] = group.by_workload[i];
    for (const auto& each : group.worst)
      one["worst"].push_back(example(each));
    list.push_back(std::move(one));
  }
  return list;
}

json over_time(const timeline& of) {
  json list = json::array();
  for (const auto& each : of.points())
    list.push_back({{"at", each.seconds},
                    {"clients", each.clients},
                    {"answers", each.answers},
                    {"logins", each.logins},
                    {"findings", each.findings},
                    {"p50", seconds_of(each.p50)},
                    {"p99", seconds_of(each.p99)},
                    {"max", seconds_of(each.largest)}});
  return list;
}

json failure_of(const problem& what) {
  json made{{"fault", facts_of(what.what).name},
            {"answer", name_of(facts_of(what.what).answer)},
            {"stage", name_of(what.where)},
            {"message", what.message},
            {"meaning", facts_of(what.what).meaning}};
  if (what.code) made["sqlstate"] = what.code->view();
  return made;
}

json path_json(const path_report& of) {
  const tally& said = of.said;
  json made{{"name", of.label}, {"target", of.dsn.text()}};
  if (of.failure) made["failure"] = failure_of(*of.failure);
  made["server"] = {{"version", said.facts.server_version},
                    {"address", said.facts.address},
                    {"tls", said.facts.tls},
                    {"statementTimeout", said.facts.takes_statement_timeout}};
  made["seconds"] = seconds_of(said.length);
  made["counts"] = {{"clients", said.most_clients},
                    {"logins", said.logins.count()},
                    {"answers", said.answer_count()},
                    {"rounds", said.rounds.count()},
                    {"rows", said.rows},
                    {"bytesReceived", said.bytes_received},
                    {"cancels", said.cancels},
                    {"notifications", said.notifications},
                    {"disconnects", said.disconnects},
                    {"findings", said.findings.total()}};
  made["notTested"] = json::array();
  for (const auto& each : said.not_tested)
    made["notTested"].push_back({{"workload", each.what}, {"why", each.why}});
  made["findings"] = findings(said.findings);
  made["findingsOfFurtherKinds"] = said.findings.beyond();
  for (const auto* group : {"stages", "answers", "whole"})
    made[group] = json::object();
  for (const figure& each : figures_of(said))
    made[std::string(each.group)][std::string(each.name)] = figures(*each.values);
  made["timeline"] = over_time(said.over_time);
  return made;
}

json settings_json(const settings& how) {
  json shares = json::object();
  for (std::size_t i = 0; i < workload_count; ++i)
    if (how.mix.shares[i] > 0) shares[std::string(workload_kinds[i].name)] = how.mix.shares[i];
  return {{"clients", how.clients},
          {"duration", seconds_of(how.duration)},
          {"profile", profile_names[static_cast<std::size_t>(how.shape)]},
          {"workloads", std::move(shares)},
          {"shortLived", how.short_lived},
          {"rate", how.rate},
          {"loginRate", how.login_rate},
          {"late", seconds_of(how.late)},
          {"timeout", seconds_of(how.timeout)},
          {"idle", seconds_of(how.idle)},
          {"rows", how.rows},
          {"bulkBytes", how.bulk_bytes},
          {"readBytesPerSecond", how.read_bytes_per_second},
          {"memoryBytes", how.memory_bytes},
          {"seed", how.seed}};
}

/// B's numbers by those of A.
json comparison(const tally& a, const tally& b) {
  json made = json::object();
  for (const figure& mine : figures_of(a)) {
    for (const figure& other : figures_of(b)) {
      if (mine.group != other.group || mine.name != other.name) continue;
      json one = json::object();
      for (const auto& [name, share] :
           {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}, std::pair{"max", 1.0}}) {
        const double before = seconds_of(mine.values->at(share));
        one[name] = {{"a", before}, {"b", seconds_of(other.values->at(share))}};
        if (before > 0) one[name]["ratio"] = seconds_of(other.values->at(share)) / before;
      }
      made[std::string(mine.group)][std::string(mine.name)] = std::move(one);
    }
  }
  made["findings"] = {{"a", a.findings.total()}, {"b", b.findings.total()}};
  return made;
}

}  // namespace

std::string render_json(const report& of) {
  const auto began = std::chrono::floor<std::chrono::seconds>(of.began);
  json made{{"v", 1},
            {"began", fmt::format("{:%FT%TZ}", began)},
            {"verdict", verdict_of(of)},
            {"interrupted", of.interrupted},
            {"heldByMemory", of.held_by_memory},
            {"busyRatio", of.busy},
            {"notes", notes_of(of)},
            {"settings", settings_json(of.how)},
            {"paths", json::array()}};
  for (const auto& each : of.paths)
    made["paths"].push_back(path_json(*each));
  if (of.paths.size() == 2 && !of.failed())
    made["comparison"] = comparison(of.paths[0]->said, of.paths[1]->said);
  // A server's message may be in any encoding.
  return made.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace trunkline::storm
