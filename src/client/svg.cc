#include "client/svg.h"

#include <fmt/format.h>

#include <iterator>

#include "client/markup.h"

namespace trunkline::client {

svg::svg(double width, double height, std::string_view css, std::string_view label) {
  made_ = fmt::format(
      "<svg class=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">",
      css, width, height, escaped(label));
}

void svg::text(double x, double y, std::string_view css, std::string_view words) {
  fmt::format_to(std::back_inserter(made_), "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", css, x,
                 y, escaped(words));
}

void svg::line(point from, point to, std::string_view css) {
  fmt::format_to(std::back_inserter(made_),
                 "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", css,
                 from.first, from.second, to.first, to.second);
}

void svg::rect(point corner, double width, double height, std::string_view css, std::string_view title) {
  fmt::format_to(std::back_inserter(made_),
                 "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\"",
                 css, corner.first, corner.second, width, height);
  close_with("rect", title);
}

void svg::dot(point centre, double radius, std::string_view css, std::string_view title) {
  fmt::format_to(std::back_inserter(made_), "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"",
                 css, centre.first, centre.second, radius);
  close_with("circle", title);
}

void svg::curve(const std::vector<point>& through, std::string_view css) {
  fmt::format_to(std::back_inserter(made_), "<polyline class=\"{}\" points=\"", css);
  for (const auto& [x, y] : through)
    fmt::format_to(std::back_inserter(made_), "{:.1f},{:.1f} ", x, y);
  made_ += "\"/>";
}

void svg::close_with(std::string_view element, std::string_view title) {
  if (title.empty())
    made_ += "/>";
  else
    fmt::format_to(std::back_inserter(made_), "><title>{}</title></{}>", escaped(title), element);
}

std::string svg::take() {
  made_ += "</svg>\n";
  return std::move(made_);
}

}  // namespace trunkline::client
