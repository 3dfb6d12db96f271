#include "storm/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/seconds.h"
#include "storm/figures.h"

namespace trunkline::storm {
namespace {

class page {
 public:
  page(std::size_t columns, bool coloured)
      : columns_(std::max<std::size_t>(columns, 40)), coloured_(coloured) {}

  std::string take() { return std::move(text_); }
  void blank() { text_ += '\n'; }
  void heading(std::string_view words) { add(words, 0, "1"); }
  void good(std::string_view words) { add(words, 0, "1;32"); }
  void bad(std::string_view words, std::size_t indent = 0) { add(words, indent, "1;31"); }
  void say(std::string_view words, std::size_t indent = 0) { add(words, indent, ""); }
  /// As it is: columns that line up.
  void row(std::string_view line) {
    text_ += line.substr(0, columns_);
    text_ += '\n';
  }

 private:
  /// Words in lines; a longer word is cut into pieces.
  void add(std::string_view words, std::size_t indent, std::string_view colour) {
    const std::size_t room = columns_ - indent;
    while (!words.empty()) {
      std::size_t length = std::min(room, words.size());
      if (length < words.size()) {
        const auto gap = words.substr(0, length + 1).rfind(' ');
        if (gap != words.npos && gap > 0) length = gap;
      }
      const bool paints = coloured_ && !colour.empty();
      text_ += std::string(indent, ' ');
      if (paints) text_ += fmt::format("\x1b[{}m", colour);
      text_ += words.substr(0, length);
      if (paints) text_ += "\x1b[0m";
      text_ += '\n';
      words.remove_prefix(length);
      if (words.starts_with(' ')) words.remove_prefix(1);
    }
  }

  const std::size_t columns_;
  const bool coloured_;
  std::string text_;
};

void tell_verdict(page& to, const report& of) {
  const auto findings = of.findings();
  if (of.failed()) return to.bad("storm: nothing could be tested");
  if (findings > 0) return to.bad(fmt::format("storm: {} finding{}", findings, findings == 1 ? "" : "s"));
  if (of.interrupted) return to.heading("storm: interrupted, no findings until then");
  to.good("storm: no findings");
}

void tell_example(page& to, const finding& one) {
  std::string words =
      fmt::format("at {:.1f}s, client {} session {}", seconds_of(one.at), one.client, one.session);
  if (one.local_port != 0) words += fmt::format(" port {}", one.local_port);
  words += fmt::format(", after {}", short_duration(one.took));
  if (one.silence >= std::chrono::seconds(1))
    words += fmt::format(", {} of silence before", short_duration(one.silence));
  to.say(words + ": " + one.what.message, 4);
}

void tell_findings(page& to, const tally& said) {
  const auto groups = said.findings.groups();
  if (groups.empty()) return;
  to.blank();
  to.heading("findings, the worst first");
  for (const auto& each : groups) {
    to.bad(title_of(each) + ": " + times_of(each), 1);
    to.say(facts_of(each.what).meaning, 3);
    for (std::size_t i = 0; i < std::min<std::size_t>(each.worst.size(), 2); ++i)
      tell_example(to, each.worst[i]);
  }
  if (said.findings.beyond() > 0) to.say(fmt::format("and {} of further kinds", said.findings.beyond()), 1);
}

void tell_figures(page& to, const tally& said) {
  std::string_view group;
  for (const figure& each : figures_of(said)) {
    if (each.group != group) {
      to.blank();
      to.row(fmt::format("{:<10} {:>7} {:>6} {:>6} {:>6}", each.group, "count", "p50", "p99", "max"));
    }
    group = each.group;
    to.row(fmt::format("{:<10} {:>7} {:>6} {:>6} {:>6}", each.name,
                       short_count(static_cast<double>(each.values->count())),
                       short_duration(each.values->at(0.5)), short_duration(each.values->at(0.99)),
                       short_duration(each.values->largest())));
  }
}

void tell_path(page& to, const path_report& of) {
  const tally& said = of.said;
  to.blank();
  to.heading(fmt::format("path {}: {}", of.label, of.dsn.text()));
  if (of.failure) {
    to.bad(fmt::format("{} in {}: {}", facts_of(of.failure->what).name, name_of(of.failure->where),
                       of.failure->message),
           1);
    to.say(facts_of(of.failure->what).meaning, 3);
    return;
  }
  if (said.facts.address.empty()) return to.say("not looked at", 1);
  to.say(fmt::format("PostgreSQL {} at {}, {}", said.facts.server_version, said.facts.address,
                     said.facts.tls.empty() ? "plaintext" : said.facts.tls),
         1);
  to.say(fmt::format("{:.0f} s, up to {} clients, {} answers, {} rows, {} logins", seconds_of(said.length),
                     said.most_clients, said.answer_count(), said.rows, said.logins.count()),
         1);
  for (const auto& each : said.not_tested)
    to.say(fmt::format("not tested: {} ({})", each.what, each.why), 1);
  tell_findings(to, said);
  tell_figures(to, said);
}

/// The same numbers of both, side by side.
void tell_comparison(page& to, const tally& a, const tally& b) {
  to.blank();
  to.heading("A beside B");
  to.row(fmt::format("{:<10} {:>6} {:>6} {:>6} {:>6}", "", "p50 A", "p50 B", "p99 A", "p99 B"));
  for (const figure& mine : figures_of(a)) {
    for (const figure& other : figures_of(b)) {
      if (mine.group != other.group || mine.name != other.name) continue;
      to.row(fmt::format("{:<10} {:>6} {:>6} {:>6} {:>6}", mine.name, short_duration(mine.values->at(0.5)),
                         short_duration(other.values->at(0.5)), short_duration(mine.values->at(0.99)),
                         short_duration(other.values->at(0.99))));
    }
  }
  to.row(fmt::format("{:<10} {:>6} {:>6}", "findings", a.findings.total(), b.findings.total()));
}

}  // namespace

std::string render_text(const report& of, std::size_t columns, bool coloured) {
  page made(columns, coloured);
  tell_verdict(made, of);
  for (const auto& note : notes_of(of))
    made.say(note);
  for (const auto& each : of.paths)
    tell_path(made, *each);
  if (of.paths.size() == 2 && !of.failed()) tell_comparison(made, of.paths[0]->said, of.paths[1]->said);
  return made.take();
}

}  // namespace trunkline::storm
