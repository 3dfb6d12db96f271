#include "doctor/report_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "doctor/findings.h"
#include "doctor/path_drawing.h"

namespace trunkline::doctor {
namespace {

using json = nlohmann::ordered_json;

double seconds(std::chrono::milliseconds time) {
  return static_cast<double>(time.count()) / 1'000;
}

json json_of(const judgement& one) {
  json made{{"verdict", name_of(one.is)}, {"summary", one.summary}, {"evidence", one.evidence}};
  if (one.is != verdict::finding) return made;
  made["severity"] = name_of(one.weight);
  made["confidence"] = name_of(one.sure);
  made["where"] = one.where;
  made["explanation"] = one.explanation;
  made["fix"] = one.fix;
  made["pathologies"] = one.pathologies;
  return made;
}

json trip(const std::optional<microseconds>& time) {
  if (!time) return nullptr;
  return static_cast<double>(time->count()) / 1e6;
}

json json_of(const gateway_session& of) {
  return {{"route", of.route},
          {"upstream", of.upstream},
          {"client", of.client},
          {"clientIs", of.client_is},
          {"tls", of.tls},
          {"local", of.local},
          {"seenAs", of.seen_as},
          {"endpoint", of.endpoint},
          {"serverTls", of.server_tls},
          {"pooling", of.pooling},
          {"clientTripSeconds", trip(of.client_trip)},
          {"serverTripSeconds", trip(of.server_trip)}};
}

json json_of(const series& of) {
  json made{{"logins", json::array()},
            {"querySeconds", json::array()},
            {"sizes", json::array()},
            {"silences", json::array()}};
  for (const login_crowd& each : of.logins)
    made["logins"].push_back({{"atOnce", each.size},
                              {"connectSeconds", trip(each.median.connect)},
                              {"tlsSeconds", trip(each.median.tls)},
                              {"firstAnswerSeconds", trip(each.median.first)},
                              {"authSeconds", trip(each.median.auth)},
                              {"readySeconds", trip(each.median.ready)}});
  for (const microseconds each : of.queries)
    made["querySeconds"].push_back(trip(each));
  for (const sized_trip& each : of.sizes)
    made["sizes"].push_back(
        {{"bytes", each.bytes}, {"downSeconds", trip(each.down)}, {"upSeconds", trip(each.up)}});
  for (const silence_tried& each : of.silences)
    made["silences"].push_back({{"seconds", each.length.count()},
                                {"kind", each.kind},
                                {"survived", each.survived},
                                {"livedSeconds", trip(each.lived)}});
  return made;
}

json json_of(const facts& known) {
  json made{{"address", known.address}, {"serverVersion", known.server_version}};
  made["lookUpSeconds"] = trip(known.look_up);
  made["synSeconds"] = trip(known.syn);
  made["sslRequestSeconds"] = trip(known.ssl_trip);
  made["querySeconds"] = trip(known.query_trip);
  made["tls"] = nullptr;
  if (known.tls)
    made["tls"] = {{"version", known.tls->version}, {"cipher", known.tls->cipher}, {"alpn", known.tls->alpn}};
  made["serverLegTls"] = known.server_leg_tls ? json(*known.server_leg_tls) : json();
  made["loginMethod"] = known.login_method;
  made["pooling"] = name_of(known.mode);
  made["between"] = known.between;
  made["clientIs"] = known.client_is;
  made["clientSeenAs"] = known.client_seen_as;
  made["serverSeenAs"] = known.server_seen_as;
  made["inRecovery"] = known.in_recovery ? json(*known.in_recovery) : json();
  made["systemIdentifier"] = known.system_identifier;
  made["trunkline"] = known.trunkline || known.gateway;
  made["gateway"] = known.gateway ? json_of(*known.gateway) : json();
  made["hints"] = known.hints;
  made["settings"] = known.settings;
  return made;
}

json json_of(const path_result& path) {
  json made{{"label", path.label}, {"target", path.target}, {"hops", hops_of(path.known)}};
  made["facts"] = json_of(path.known);
  made["measured"] = json_of(path.known.measured);
  made["checks"] = json::array();
  for (const auto& each : path.checks) {
    json judged = json::array();
    for (const auto& one : each.said)
      judged.push_back(json_of(one));
    made["checks"].push_back({{"id", each.of->id},
                              {"title", each.of->title},
                              {"verdict", name_of(each.worst())},
                              {"seconds", seconds(each.took)},
                              {"judgements", std::move(judged)}});
  }
  return made;
}

}  // namespace

std::string render_json(const report& of) {
  const counts sum = count(of);
  json made{
      {"v", 1},
      {"began", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::floor<std::chrono::seconds>(of.began))},
      {"seconds", seconds(of.took)},
      {"clean", of.clean()},
      {"interrupted", of.interrupted},
      {"counts", {{"findings", sum.findings}, {"ok", sum.ok}, {"unknown", sum.unknown}}}};
  made["findings"] = json::array();
  for (const auto& one : findings_of(of)) {
    json row = json_of(*one.what);
    row["check"] = one.of == nullptr ? json() : json(one.of->id);
    row["path"] = one.path;
    made["findings"].push_back(std::move(row));
  }
  made["paths"] = json::array();
  for (const auto& path : of.paths)
    made["paths"].push_back(json_of(path));
  made["compared"] = json::array();
  for (const auto& one : of.compared)
    made["compared"].push_back(json_of(one));
  // A server may say anything; what is not UTF-8 is shown as far as it goes.
  return made.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace trunkline::doctor
