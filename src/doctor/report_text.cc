#include "doctor/report_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/one_line.h"
#include "doctor/findings.h"
#include "doctor/path_drawing.h"
#include "doctor/wrapped.h"

namespace trunkline::doctor {
namespace {

enum class colour : std::uint8_t { none, red, yellow, cyan, green, grey, bold };

class writer {
 public:
  writer(std::size_t columns, bool coloured) : columns_(columns), coloured_(coloured) {}

  /// One paragraph; its head is coloured.
  void paragraph(colour how, std::string_view head, std::string_view text, std::size_t indent) {
    const std::string clean = client::one_line(text, text.size());
    std::string lines = wrapped(clean, columns_, std::string(head), indent);
    made_ += painted(how, head) + lines.substr(head.size());
  }
  void line(std::string_view text, std::size_t indent = 0) {
    made_ += wrapped(client::one_line(text, text.size()), columns_, std::string(indent, ' '), indent);
  }
  void raw(std::string_view text) { made_ += text; }
  std::string take() { return std::move(made_); }
  std::size_t columns() const { return columns_; }

 private:
  std::string painted(colour how, std::string_view text) const {
    constexpr std::array<std::string_view, 7> codes{"", "31;1", "33;1", "36", "32", "90", "1"};
    if (!coloured_ || how == colour::none) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(how)], text);
  }

  std::size_t columns_;
  bool coloured_;
  std::string made_;
};

colour colour_of(severity which) {
  if (which == severity::broken) return colour::red;
  return which == severity::risk ? colour::yellow : colour::cyan;
}

std::string tail_of(const placed_finding& one) {
  std::string made;
  if (one.of != nullptr) made = std::string(one.of->id);
  if (!one.path.empty()) made += (made.empty() ? "" : ", ") + ("path " + std::string(one.path));
  for (const auto& each : one.what->pathologies)
    made += (made.empty() ? "" : ", ") + each;
  if (one.what->sure != confidence::certain)
    made += (made.empty() ? "" : ", ") + std::string(name_of(one.what->sure));
  return made;
}

void write_finding(writer& out, const placed_finding& one) {
  const judgement& what = *one.what;
  const std::string head = fmt::format("{:<7} ", name_of(what.weight));
  out.paragraph(colour_of(what.weight), head, what.summary, 2);
  if (!what.where.empty()) out.paragraph(colour::grey, "  where ", what.where, 8);
  for (const auto& each : what.evidence)
    out.paragraph(colour::grey, "  seen  ", each, 8);
  if (!what.explanation.empty()) out.paragraph(colour::grey, "  why   ", what.explanation, 8);
  if (!what.fix.empty()) out.paragraph(colour::green, "  fix   ", what.fix, 8);
  out.paragraph(colour::grey, "  see   ", tail_of(one), 8);
  out.raw("\n");
}

void write_path(writer& out, const path_result& path, bool several) {
  if (several) out.paragraph(colour::bold, fmt::format("path {} ", path.label), path.target, 2);
  if (!several) out.paragraph(colour::bold, "path ", path.target, 2);
  for (const auto& hop : hops_of(path.known))
    out.line(hop, 2);
  for (const auto& each : path.known.hints)
    out.line(each, 2);
  for (const auto& each : path.checks)
    if (each.worst() == verdict::unknown)
      for (const auto& one : each.said)
        if (one.is == verdict::unknown)
          out.paragraph(colour::grey, fmt::format("  not tested: {}: ", each.of->id), one.summary, 4);
}

}  // namespace

std::string render_text(const report& of, std::size_t columns, bool coloured) {
  writer out(columns, coloured);
  for (const auto& one : findings_of(of))
    write_finding(out, one);
  for (const auto& path : of.paths)
    write_path(out, path, of.paths.size() > 1);
  for (const auto& one : of.compared) {
    if (one.is != verdict::ok) continue;
    out.line(one.summary);
    for (const auto& each : one.evidence)
      out.line(each, 2);
  }
  const counts sum = count(of);
  const double seconds = static_cast<double>(of.took.count()) / 1'000;
  out.line(fmt::format("{}{} findings, {} checks ok, {} not tested, {:.1f} s",
                       of.interrupted ? "interrupted: " : "", sum.findings, sum.ok, sum.unknown, seconds));
  return out.take();
}

}  // namespace trunkline::doctor
