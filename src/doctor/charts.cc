#include "doctor/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "client/svg.h"
#include "doctor/figures.h"

namespace trunkline::doctor {
namespace {

using client::svg;

constexpr double width = 760;
constexpr double left = 130;
constexpr double right = 90;
constexpr double room = width - left - right;

std::string figure(std::string_view title, std::string drawing) {
  return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", title, drawing);
}

double share(microseconds part, microseconds whole) {
  return static_cast<double>(part.count()) / static_cast<double>(std::max<std::int64_t>(whole.count(), 1));
}

/// The next of 1, 2, 5, 10, 20, ... microseconds.
microseconds round_up(microseconds value) {
  std::int64_t step = 1;
  for (;;) {
    for (const std::int64_t part : {1, 2, 5})
      if (part * step >= value.count()) return microseconds(part * step);
    step *= 10;
  }
}

// ---- times beside each other ----

struct bar {
  std::string name;
  std::optional<microseconds> time;
};

std::string draw_bars(const facts& known) {
  const std::array all{bar{"look-up", known.look_up}, bar{"SYN", known.syn},
                       bar{"SSLRequest", known.ssl_trip}, bar{"SELECT 1", known.query_trip}};
  std::vector<bar> there;
  microseconds longest{1};
  for (const bar& each : all) {
    if (!each.time) continue;
    there.push_back(each);
    longest = std::max(longest, *each.time);
  }
  if (there.empty()) return "";
  svg made(width, static_cast<double>(there.size()) * 26 + 4, "bars", "round trips beside each other");
  double y = 4;
  for (const bar& each : there) {
    const double length = std::max(1.0, room * share(*each.time, longest));
    made.text(left - 10, y + 13, "end", each.name);
    made.rect({left, y}, length, 16, "c1");
    made.text(left + length + 8, y + 13, "", text_of(*each.time));
    y += 26;
  }
  return figure("Round trips, the least of several", made.take());
}

// ---- logins ----

struct stage {
  std::string_view name;
  std::string_view css;
  microseconds login_times::* time;
};
constexpr std::array stages{
    stage{"connect", "c2", &login_times::connect}, stage{"ssl", "c3", &login_times::tls},
    stage{"first answer", "c4", &login_times::first}, stage{"auth", "c5", &login_times::auth},
    stage{"ready", "c6", &login_times::ready}};

microseconds whole_of(const login_crowd& of, microseconds look_up) {
  microseconds made = look_up;
  for (const stage& each : stages)
    made += of.median.*each.time;
  return made;
}

/// One login's stages behind each other; returns where they end.
double draw_stages(svg& into, const login_crowd& of, microseconds look_up, microseconds longest, double y) {
  double x = left;
  const auto add = [&](std::string_view name, std::string_view css, microseconds time) {
    const double length = room * share(time, longest);
    if (length >= 0.1) into.rect({x, y}, length, 22, css, fmt::format("{}: {}", name, text_of(time)));
    x += length;
  };
  add("dns", "c1", look_up);
  for (const stage& each : stages)
    add(each.name, each.css, of.median.*each.time);
  return x;
}

std::string draw_logins(const facts& known) {
  const auto& crowds = known.measured.logins;
  if (crowds.empty()) return "";
  const microseconds look_up = known.look_up.value_or(microseconds(0));
  microseconds longest{1};
  for (const login_crowd& each : crowds)
    longest = std::max(longest, whole_of(each, look_up));
  svg made(width, static_cast<double>(crowds.size()) * 52 + 26, "logins", "logins by stage");
  double y = 4;
  for (const login_crowd& each : crowds) {
    made.text(left - 10, y + 16, "end", each.size == 1 ? "alone" : fmt::format("{} at once", each.size));
    const double end = draw_stages(made, each, look_up, longest, y);
    made.text(end + 8, y + 16, "", text_of(whole_of(each, look_up)));
    std::string figures = look_up.count() > 0 ? "dns " + text_of(look_up) + ", " : "";
    for (const stage& one : stages)
      figures += fmt::format("{}{} {}", one.name == stages.front().name ? "" : ", ", one.name,
                             text_of(each.median.*one.time));
    made.text(left, y + 37, "small", figures);
    y += 52;
  }
  double x = left;
  const auto legend = [&](std::string_view name, std::string_view css) {
    made.rect({x, y + 4}, 11, 11, css);
    made.text(x + 16, y + 14, "small", name);
    x += 30 + 7 * static_cast<double>(name.size());
  };
  legend("dns", "c1");
  for (const stage& each : stages)
    legend(each.name, each.css);
  return figure("A login, stage by stage (medians)", made.take());
}

// ---- over something ----

/// A plot with time upwards from nothing, and a grid of four steps.
class plot {
 public:
  static constexpr double top = 10;
  static constexpr double height = 170;

  plot(std::string_view css, std::string_view label, microseconds most)
      : most_(round_up(most)), made_(width, top + height + 44, css, label) {
    for (int i = 0; i <= 4; ++i) {
      const microseconds value = most_ * i / 4;
      made_.line({left, y(value)}, {width - right, y(value)}, "grid");
      made_.text(left - 10, y(value) + 4, "end small", text_of(value));
    }
  }
  double y(microseconds value) const { return top + height * (1 - std::min(share(value, most_), 1.0)); }
  void mark(double x, std::string_view words) { made_.text(x, top + height + 18, "middle small", words); }
  svg& into() { return made_; }
  std::string take() { return made_.take(); }

 private:
  microseconds most_;
  svg made_;
};

std::string size_text(std::size_t bytes) {
  return bytes >= 10'000 ? fmt::format("{} kB", bytes / 1'000) : fmt::format("{} B", bytes);
}

std::string draw_sizes(const series& of) {
  if (of.sizes.size() < 2) return "";
  microseconds longest{1};
  for (const sized_trip& each : of.sizes)
    longest = std::max({longest, each.down, each.up});
  plot made("sizes", "time by size", longest);
  const double step = room / static_cast<double>(of.sizes.size() - 1);
  const auto draw = [&](microseconds sized_trip::* which, std::string_view css, std::string_view name) {
    std::vector<svg::point> points;
    for (const sized_trip& each : of.sizes)
      points.emplace_back(left + step * static_cast<double>(points.size()), made.y(each.*which));
    made.into().curve(points, css);
    for (std::size_t i = 0; i < points.size(); ++i)
      made.into().dot(
          points[i], 3, css,
          fmt::format("{} {}: {}", size_text(of.sizes[i].bytes), name, text_of(of.sizes[i].*which)));
  };
  draw(&sized_trip::down, "c1", "from the server");
  draw(&sized_trip::up, "c4", "to the server");
  for (std::size_t i = 0; i < of.sizes.size(); ++i)
    made.mark(left + step * static_cast<double>(i), size_text(of.sizes[i].bytes));
  const double y = plot::top + plot::height + 38;
  made.into().rect({left, y - 10}, 11, 11, "c1");
  made.into().text(left + 16, y, "small", "from the server");
  made.into().rect({left + 140, y - 10}, 11, 11, "c4");
  made.into().text(left + 156, y, "small", "to the server");
  return figure("A message of each size, there and back", made.take());
}

/// Many queries after each other, or the few of the round-trip check.
std::string draw_trips(const series& of) {
  std::vector<timed_trip> trips = of.steady;
  if (trips.empty())
    for (const microseconds each : of.queries)
      trips.push_back({microseconds(static_cast<std::int64_t>(trips.size())), each});
  if (trips.size() < 2) return "";
  microseconds longest{1};
  for (const timed_trip& each : trips)
    longest = std::max(longest, each.took);
  plot made("trips", "round trips of queries", longest);
  const microseconds last = std::max(trips.back().at, microseconds(1));
  for (const timed_trip& each : trips)
    made.into().dot({left + room * share(each.at, last), made.y(each.took)}, 1.6, "c1");
  const bool timed = !of.steady.empty();
  for (int i = 0; i <= 4; ++i)
    made.mark(left + room * i / 4,
              timed ? text_of(last * i / 4)
                    : (i == 0 ? "first" : (i == 4 ? fmt::format("{}th", trips.size()) : "")));
  return figure(timed ? "Small queries one after another: how long each took, and when"
                      : "Small queries one "
                        "after another",
                made.take());
}

// ---- silences ----

std::string draw_silences(const series& of) {
  if (of.silences.empty()) return "";
  std::vector<std::string_view> kinds;
  std::chrono::seconds longest{1};
  for (const silence_tried& each : of.silences) {
    if (std::ranges::find(kinds, each.kind) == kinds.end()) kinds.push_back(each.kind);
    longest = std::max(longest, each.length);
  }
  const double end = std::log(static_cast<double>(longest.count()) + 1);
  const auto x = [&](double seconds) { return left + room * std::log(seconds + 1) / end; };
  const double bottom = static_cast<double>(kinds.size()) * 34 + 10;
  svg made(width, bottom + 30, "silences", "silences that were tried");
  for (std::size_t row = 0; row < kinds.size(); ++row) {
    const double y = 20 + 34 * static_cast<double>(row);
    made.text(left - 10, y + 4, "end small", kinds[row]);
    made.line({left, y}, {width - right, y}, "grid");
    for (const silence_tried& each : of.silences) {
      if (each.kind != kinds[row]) continue;
      const double lived = static_cast<double>(each.lived.count()) / 1e6;
      const std::string_view css = each.survived ? "good" : "bad";
      if (!each.survived) made.line({x(lived), y}, {x(static_cast<double>(each.length.count())), y}, "bad");
      made.dot({x(static_cast<double>(each.length.count())), y}, each.survived ? 5 : 6, css,
               fmt::format("{} s: {}", each.length.count(),
                           each.survived ? "survived" : "ended after " + text_of(each.lived)));
    }
  }
  double last = -100;
  for (const silence_tried& each : of.silences) {
    const double at = x(static_cast<double>(each.length.count()));
    if (each.kind != kinds.front() || at - last < 44) continue;
    made.text(at, bottom + 20, "middle small", fmt::format("{} s", each.length.count()));
    last = at;
  }
  return figure("Silences that were tried: which a connection survived", made.take());
}

constexpr std::string_view style = R"(
:root{--c1:#2f6fb3;--c2:#1b9e8a;--c3:#b8860b;--c4:#c8553d;--c5:#7a5cc0;--c6:#6b7a8f}
@media (prefers-color-scheme:dark){:root{--c1:#7ab4f0;--c2:#5fd0c2;--c3:#e8c25a;--c4:#ff9a80;--c5:#b9a2f2;--c6:#a9b6c8}}
figure{margin:1rem 0}figcaption{font-weight:600;font-size:.95rem;margin-bottom:.3rem}figure svg{width:100%;max-width:760px;height:auto}
figure text{text-anchor:start;font-size:13px}figure text.end{text-anchor:end}figure text.middle{text-anchor:middle}
figure text.small{font-size:11.5px;fill:var(--soft)}figure line.grid{stroke:var(--line)}figure line.bad{stroke:var(--broken);stroke-width:2}
figure rect{stroke:none}figure polyline{fill:none;stroke-width:2}
figure rect.c1,figure circle.c1{fill:var(--c1)}figure rect.c2{fill:var(--c2)}figure rect.c3{fill:var(--c3)}
figure rect.c4,figure circle.c4{fill:var(--c4)}figure rect.c5{fill:var(--c5)}figure rect.c6{fill:var(--c6)}
figure polyline.c1{stroke:var(--c1)}figure polyline.c4{stroke:var(--c4)}
figure circle.good{fill:var(--ok)}figure circle.bad{fill:var(--broken)}
)";

}  // namespace

std::string charts_of(const facts& known) {
  return draw_bars(known) + draw_logins(known) + draw_trips(known.measured) + draw_sizes(known.measured) +
         draw_silences(known.measured);
}

std::string_view chart_style() {
  return style;
}

}  // namespace trunkline::doctor
