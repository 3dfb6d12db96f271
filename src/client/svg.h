// A drawing for a page, element by element. What it looks like is said by the page's style, through classes;
// texts are escaped here. Owner: one function; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::client {

class svg {
 public:
  using point = std::pair<double, double>;

  /// `label` is for those who cannot see it.
  svg(double width, double height, std::string_view css, std::string_view label);

  /// (x, y) is where its line begins, or as the class's text-anchor says.
  void text(double x, double y, std::string_view css, std::string_view words);
  void line(point from, point to, std::string_view css);
  /// `title` shows when one points at it; empty: none does.
  void rect(point corner, double width, double height, std::string_view css, std::string_view title = {});
  void dot(point centre, double radius, std::string_view css, std::string_view title = {});
  void curve(const std::vector<point>& through, std::string_view css);

  std::string take();

 private:
  void close_with(std::string_view element, std::string_view title);

  std::string made_;
};

}  // namespace trunkline::client
