#include "storm/chart_page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

#include "base/seconds.h"
#include "client/markup.h"
#include "storm/figures.h"

namespace trunkline::storm {
namespace {

using trunkline::client::escaped;

constexpr std::string_view style =
    "body{font:15px/1.45 sans-serif;max-width:980px;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;border-bottom:1px solid "
    "#ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.good{color:#15803d}.bad{color:#b91c1c}"
    "li{margin:.6em 0}small{color:#555;display:block;overflow-wrap:anywhere}svg{width:100%;height:auto}";

class html_page {
 public:
  std::string write(const report& of) {
    add("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>trunkline storm: "
        "{}</title><style>{}</style>"
        "</head><body>\n",
        verdict_of(of), style);
    add("<h1>storm: <span class=\"{}\">{}</span></h1>\n", of.clean() ? "good" : "bad", verdict_of(of));
    add("<p>{:%F %T} UTC, {} clients, profile {}, {:.0f} s on each path.</p>\n",
        std::chrono::floor<std::chrono::seconds>(of.began), of.how.clients,
        profile_names[static_cast<std::size_t>(of.how.shape)], seconds_of(of.how.duration));
    for (const auto& note : notes_of(of))
      add("<p>{}</p>\n", escaped(note));
    out_ += render_svg(of);
    for (const auto& each : of.paths)
      write_path(*each);
    out_ += "</body></html>\n";
    return std::move(out_);
  }

 private:
  template <class... Values>
  void add(fmt::format_string<Values...> form, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), form, std::forward<Values>(values)...);
  }

  void write_path(const path_report& of) {
    add("<h2>Path {}: {}</h2>\n", of.label, escaped(of.dsn.text()));
    if (of.failure) {
      add("<p class=\"bad\">{} in {}: {}</p><p>{}</p>\n", facts_of(of.failure->what).name,
          name_of(of.failure->where), escaped(of.failure->message), facts_of(of.failure->what).meaning);
      return;
    }
    const tally& said = of.said;
    add("<p>PostgreSQL {} at {}, {}; {} answers, {} rows, {} logins in {:.0f} s.</p>\n",
        escaped(said.facts.server_version), escaped(said.facts.address),
        said.facts.tls.empty() ? "plaintext" : escaped(said.facts.tls), said.answer_count(), said.rows,
        said.logins.count(), seconds_of(said.length));
    for (const auto& each : said.not_tested)
      add("<p>Not tested: {} ({})</p>\n", escaped(each.what), escaped(each.why));
    write_findings(said);
    write_figures(said);
  }

  void write_findings(const tally& said) {
    const auto groups = said.findings.groups();
    if (groups.empty()) {
      out_ += "<p class=\"good\">No findings.</p>\n";
      return;
    }
    out_ += "<h3>Findings, the worst first</h3>\n<ul>\n";
    for (const auto& each : groups) {
      add("<li><b class=\"bad\">{}</b>: {}. {}", title_of(each), times_of(each), facts_of(each.what).meaning);
      for (const auto& one : each.worst)
        add("<small>at {:.1f} s, client {} session {} port {}, after {}: {}</small>", seconds_of(one.at),
            one.client, one.session, one.local_port, short_duration(one.took), escaped(one.what.message));
      out_ += "</li>\n";
    }
    out_ += "</ul>\n";
  }

  void write_figures(const tally& said) {
    out_ +=
        "<table><tr><th></th><th>count</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></"
        "tr>\n";
    for (const figure& each : figures_of(said)) {
      add("<tr><td>{} ({})</td><td>{}</td>", each.name, each.group, each.values->count());
      for (const double share : {0.5, 0.9, 0.99, 0.999, 1.0})
        add("<td>{}</td>", short_duration(each.values->at(share)));
      out_ += "</tr>\n";
    }
    out_ += "</table>\n";
  }

  std::string out_;
};

}  // namespace

std::string render_html(const report& of) {
  return html_page().write(of);
}

}  // namespace trunkline::storm
