// The drawing. Latency stands on a logarithmic scale; below it are clients and answers a second, and a mark
// where anything was found.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include "base/seconds.h"
#include "client/markup.h"
#include "storm/chart_page.h"
#include "storm/figures.h"

namespace trunkline::storm {
namespace {

using trunkline::client::escaped;

constexpr double page_width = 960;
constexpr double margin_left = 70;
constexpr double margin_right = 20;
constexpr double latency_top = 50;
constexpr double latency_height = 280;
constexpr double load_top = 370;
constexpr double load_height = 90;
constexpr double page_height = 510;

struct path_colours {
  std::string_view p50, p99, largest;
};
constexpr std::array<path_colours, 2> colours{
    {{"#1f77b4", "#0b3d66", "#9ecae1"}, {"#ff7f0e", "#a14a00", "#fdd0a2"}}};

/// Seconds and microseconds to places on the drawing.
struct scales {
  double last_second = 1;
  double least_decade = 1;  // powers of ten of microseconds
  double last_decade = 4;
  double most_answers = 1;  // a second
  double most_clients = 1;

  double x(double seconds) const {
    return margin_left + seconds / last_second * (page_width - margin_left - margin_right);
  }
  double y(std::chrono::microseconds value) const {
    const double decade = std::log10(static_cast<double>(std::max<std::int64_t>(value.count(), 1)));
    const double part = (decade - least_decade) / (last_decade - least_decade);
    return latency_top + latency_height * (1 - std::clamp(part, 0.0, 1.0));
  }
  double y_of_load(double share) const { return load_top + load_height * (1 - std::clamp(share, 0.0, 1.0)); }
};

scales scales_of(const report& of) {
  scales made;
  double least = 1e9;
  double largest = 10;
  for (const auto& each : of.paths) {
    for (const auto& point : each->said.over_time.points()) {
      made.last_second = std::max(made.last_second, point.seconds);
      made.most_clients = std::max(made.most_clients, static_cast<double>(point.clients));
      if (point.length > 0)
        made.most_answers = std::max(made.most_answers, static_cast<double>(point.answers) / point.length);
      if (point.answers == 0) continue;
      least = std::min(least, static_cast<double>(point.p50.count()));
      largest = std::max(largest, static_cast<double>(point.largest.count()));
    }
  }
  made.least_decade = std::floor(std::log10(std::max(std::min(least, largest), 1.0)));
  made.last_decade = std::max(std::ceil(std::log10(largest)), made.least_decade + 1);
  return made;
}

class drawing {
 public:
  explicit drawing(const report& of) : of_(of), to_(scales_of(of)) {}

  std::string draw() {
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
        "font-size=\"12\">\n",
        page_width, page_height);
    add("<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n", page_width, page_height);
    text(margin_left, 22, "start", "Latency of answers over time", 15);
    draw_grid();
    for (std::size_t i = 0; i < of_.paths.size() && i < colours.size(); ++i)
      draw_path(*of_.paths[i], colours[i], i);
    text(margin_left, page_height - 8, "start", "seconds since the load began");
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  template <class... Values>
  void add(fmt::format_string<Values...> form, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), form, std::forward<Values>(values)...);
  }
  void text(double x, double y, std::string_view anchor, std::string_view words, int size = 12) {
    add("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\" fill=\"#333333\">{}</text>\n", x,
        y, anchor, size, escaped(words));
  }
  void line(double x1, double y1, double x2, double y2, std::string_view colour) {
    add("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2,
        colour);
  }

  void draw_grid() {
    for (double decade = to_.least_decade; decade <= to_.last_decade; ++decade) {
      const std::chrono::microseconds value(std::llround(std::pow(10, decade)));
      line(margin_left, to_.y(value), page_width - margin_right, to_.y(value), "#dddddd");
      const std::string words = value.count() < 1'000       ? fmt::format("{} us", value.count())
                                : value.count() < 1'000'000 ? fmt::format("{} ms", value.count() / 1'000)
                                                            : fmt::format("{} s", value.count() / 1'000'000);
      text(margin_left - 8, to_.y(value) + 4, "end", words);
    }
    for (int part = 0; part <= 6; ++part) {
      const double seconds = to_.last_second * part / 6;
      line(to_.x(seconds), latency_top, to_.x(seconds), load_top + load_height, "#eeeeee");
      text(to_.x(seconds), load_top + load_height + 18, "middle", fmt::format("{:.3g}", seconds));
    }
    line(margin_left, load_top + load_height, page_width - margin_right, load_top + load_height, "#dddddd");
    text(margin_left - 8, load_top + 10, "end", short_count(to_.most_answers) + "/s");
    text(margin_left, load_top - 8, "start",
         fmt::format("answers a second (line), clients (area, up to {:.0f}), findings (red)",
                     to_.most_clients));
  }

  template <class Value>
  void curve(const timeline& of, std::string_view colour, std::string_view dash, std::string_view title,
             Value value) {
    add("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" stroke-dasharray=\"{}\" points=\"",
        colour, dash);
    for (const auto& point : of.points())
      if (point.answers > 0) add("{:.1f},{:.1f} ", to_.x(point.seconds), value(point));
    add("\"><title>{}</title></polyline>\n", escaped(title));
  }

  void draw_path(const path_report& path, const path_colours& colour, std::size_t index) {
    const timeline& points = path.said.over_time;
    const std::string name = of_.paths.size() > 1 ? path.label + " " : "";
    draw_clients(points, colour);
    curve(points, colour.largest, "2 3", name + "max", [&](const auto& p) { return to_.y(p.largest); });
    curve(points, colour.p99, "none", name + "p99", [&](const auto& p) { return to_.y(p.p99); });
    curve(points, colour.p50, "none", name + "p50", [&](const auto& p) { return to_.y(p.p50); });
    curve(points, colour.p50, "none", name + "answers a second", [&](const auto& p) {
      return to_.y_of_load(static_cast<double>(p.answers) / std::max(p.length, 0.001) / to_.most_answers);
    });
    for (const auto& point : points.points())
      if (point.findings > 0)
        add("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#d62728\"><title>{}{} findings up to {:.1f} "
            "s</title></circle>\n",
            to_.x(point.seconds), latency_top - 6, name, point.findings, point.seconds);
    draw_legend(name, colour, page_width - margin_right - 290 + 0.0, 18 + 16.0 * static_cast<double>(index));
  }

  void draw_clients(const timeline& points, const path_colours& colour) {
    add("<polygon fill=\"{}\" fill-opacity=\"0.25\" points=\"{:.1f},{:.1f} ", colour.largest, margin_left,
        load_top + load_height);
    double last = 0;
    for (const auto& point : points.points()) {
      add("{:.1f},{:.1f} ", to_.x(point.seconds),
          to_.y_of_load(static_cast<double>(point.clients) / to_.most_clients));
      last = point.seconds;
    }
    add("{:.1f},{:.1f}\"/>\n", to_.x(last), load_top + load_height);
  }

  void draw_legend(const std::string& name, const path_colours& colour, double x, double y) {
    for (const auto& [words, stroke] :
         {std::pair{"p50", colour.p50}, {"p99", colour.p99}, {"max", colour.largest}}) {
      add("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"14\" height=\"4\" fill=\"{}\"/>\n", x, y - 5, stroke);
      text(x + 18, y, "start", name + words);
      x += 95;
    }
  }

  const report& of_;
  const scales to_;
  std::string out_;
};

}  // namespace

std::string render_svg(const report& of) {
  return drawing(of).draw();
}

}  // namespace trunkline::storm
