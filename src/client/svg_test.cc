#include "client/svg.h"

#include <gtest/gtest.h>

namespace trunkline::client {
namespace {

TEST(svg, is_one_element_that_stands_alone) {
  svg made(100, 50, "bars", "times");
  made.line({0, 1}, {2, 3.25}, "grid");
  made.rect({1, 2}, 3, 4, "stage");
  made.curve({{0, 0}, {10, 5}}, "down");
  EXPECT_EQ(made.take(),
            "<svg class=\"bars\" viewBox=\"0 0 100 50\" role=\"img\" aria-label=\"times\" "
            "xmlns=\"http://www.w3.org/2000/svg\">"
            "<line class=\"grid\" x1=\"0.0\" y1=\"1.0\" x2=\"2.0\" y2=\"3.2\"/>"
            "<rect class=\"stage\" x=\"1.0\" y=\"2.0\" width=\"3.0\" height=\"4.0\" rx=\"2\"/>"
            "<polyline class=\"down\" points=\"0.0,0.0 10.0,5.0 \"/></svg>\n");
}

TEST(svg, a_peers_words_stay_words) {
  svg made(1, 1, "path", "\"><script>");
  made.text(0, 0, "name", "<b>&\"");
  made.dot({0, 0}, 1, "mark", "</title><script>");
  const std::string text = made.take();
  EXPECT_EQ(text.find("<script"), text.npos);
  EXPECT_EQ(text.find("<b>"), text.npos);
  EXPECT_NE(text.find("&lt;b&gt;&amp;&quot;"), text.npos);
}

}  // namespace
}  // namespace trunkline::client
