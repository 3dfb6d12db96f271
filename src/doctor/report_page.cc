#include "doctor/report_page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "client/markup.h"
#include "doctor/charts.h"
#include "doctor/findings.h"
#include "doctor/path_drawing.h"

namespace trunkline::doctor {
namespace {

using trunkline::client::escaped;

constexpr std::string_view style = R"(
:root{color-scheme:light dark;--ink:#1d2430;--paper:#fff;--line:#c9d0da;--soft:#5d6878;--broken:#b3261e;--risk:#9a6700;--slow:#1261a0;--ok:#1a7f37}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ef;--paper:#141820;--line:#3a4352;--soft:#9aa5b5;--broken:#ff8a80;--risk:#f0c04a;--slow:#79b8ff;--ok:#66d18a}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
section.finding{border-left:4px solid var(--line);padding:.2rem 1rem;margin:1rem 0}
section.broken{border-color:var(--broken)}section.risk{border-color:var(--risk)}section.slow{border-color:var(--slow)}
section h3{margin:.2rem 0;font-size:1rem}dl{display:grid;grid-template-columns:4rem 1fr;gap:.2rem .6rem;margin:.4rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);text-align:left;padding:.25rem .5rem;vertical-align:top}
.ok{color:var(--ok)}.unknown{color:var(--soft)}td.finding{color:var(--broken)}
svg.path{width:100%;height:auto}svg rect{fill:none;stroke:var(--ink)}svg line{stroke:var(--ink)}
svg text{fill:var(--ink);text-anchor:middle;font:14px system-ui,sans-serif}svg .place,svg .leg{fill:var(--soft);font-size:12px}
)";

std::string row(std::string_view name, std::string_view text) {
  if (text.empty()) return "";
  return fmt::format("<dt>{}</dt><dd>{}</dd>", name, escaped(text));
}

std::string section_of(const placed_finding& one) {
  const judgement& what = *one.what;
  std::string made = fmt::format("<section class=\"finding {0}\"><h3>{0}: {1}</h3><dl>", name_of(what.weight),
                                 escaped(what.summary));
  made += row("where", what.where);
  for (const auto& each : what.evidence)
    made += row("seen", each);
  made += row("why", what.explanation) + row("fix", what.fix);
  std::string see = one.of == nullptr ? "comparison" : std::string(one.of->id);
  if (!one.path.empty()) see += fmt::format(", path {}", one.path);
  see += fmt::format(", {}", name_of(what.sure));
  if (!what.pathologies.empty()) see += fmt::format(", {}", fmt::join(what.pathologies, ", "));
  return made + row("see", see) + "</dl></section>\n";
}

std::string table_of(const path_result& path) {
  std::string made = "<table><tr><th>check</th><th>verdict</th><th>what was seen</th></tr>\n";
  for (const auto& each : path.checks) {
    std::string seen;
    for (const auto& one : each.said) {
      seen += fmt::format("<div>{}</div>", escaped(one.summary));
      for (const auto& fact : one.evidence)
        seen += fmt::format("<div class=\"unknown\">{}</div>", escaped(fact));
    }
    made += fmt::format("<tr><td>{}</td><td class=\"{}\">{}</td><td>{}</td></tr>\n", escaped(each.of->title),
                        name_of(each.worst()), name_of(each.worst()), seen);
  }
  return made + "</table>\n";
}

}  // namespace

std::string render_page(const report& of) {
  const counts sum = count(of);
  std::string made = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>trunkline doctor</title><style>{}</style></head><body>\n"
      "<h1>trunkline doctor</h1><p>{:%Y-%m-%d %H:%M:%S} UTC: {} findings, {} checks ok, {} not tested, "
      "{:.1f} "
      "s{}</p>\n",
      std::string(style) + std::string(chart_style()), std::chrono::floor<std::chrono::seconds>(of.began),
      sum.findings, sum.ok, sum.unknown, static_cast<double>(of.took.count()) / 1'000,
      of.interrupted ? ", interrupted" : "");
  for (const auto& one : findings_of(of))
    made += section_of(one);
  for (const auto& path : of.paths) {
    made += fmt::format("<h2>path {}: {}</h2>\n{}", path.label, escaped(path.target), draw_path(path.known));
    for (const auto& hint : path.known.hints)
      made += fmt::format("<p>{}</p>\n", escaped(hint));
    made += charts_of(path.known) + table_of(path);
  }
  if (!of.compared.empty()) made += "<h2>the paths compared</h2><ul>\n";
  for (const auto& one : of.compared) {
    made += fmt::format("<li>{}", escaped(one.summary));
    for (const auto& each : one.evidence)
      made += fmt::format("<div class=\"unknown\">{}</div>", escaped(each));
    made += "</li>\n";
  }
  if (!of.compared.empty()) made += "</ul>\n";
  return made + "</body></html>\n";
}

}  // namespace trunkline::doctor
