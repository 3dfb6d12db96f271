#include "doctor/path_drawing.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/markup.h"
#include "doctor/figures.h"

namespace trunkline::doctor {
namespace {

using trunkline::client::escaped;

struct stop {
  std::string name;
  std::string place;
};

struct leg {
  std::string what;
};

/// Two or three stops, and the legs between them.
struct route {
  std::vector<stop> stops;
  std::vector<leg> legs;
};

std::string first_leg(const facts& known) {
  std::string made = known.tls ? known.tls->version : "plaintext";
  if (known.syn) made += ", round trip " + text_of(*known.syn);
  return made;
}

std::string second_leg(const facts& known) {
  if (!known.server_leg_tls) return "TLS not known";
  return *known.server_leg_tls ? "TLS" : "plaintext";
}

route route_of(const facts& known) {
  route made;
  if (known.address.empty()) return made;
  made.stops.push_back({"this host", known.client_is});
  made.legs.push_back({first_leg(known)});
  const bool proxied = is_proxied(known);
  if (proxied) {
    const std::string_view kind = known.mode == pooling::unknown || known.mode == pooling::none
                                      ? std::string_view("proxy")
                                      : std::string_view("pooler");
    made.stops.push_back({std::string(kind), known.address});
    made.legs.push_back({second_leg(known)});
  }
  std::string server = "server";
  if (!known.server_version.empty()) server = "PostgreSQL " + known.server_version;
  if (known.in_recovery) server += *known.in_recovery ? " (replica)" : " (primary)";
  std::string place = known.server_seen_as;
  if (place.empty()) place = proxied ? "a unix socket, or hidden" : known.address;
  made.stops.push_back({std::move(server), std::move(place)});
  return made;
}

}  // namespace

std::vector<std::string> hops_of(const facts& known) {
  const route found = route_of(known);
  std::vector<std::string> made;
  for (std::size_t i = 0; i < found.stops.size(); ++i) {
    const stop& each = found.stops[i];
    made.push_back(each.place.empty() ? each.name : each.name + ", " + each.place);
    if (i < found.legs.size()) made.push_back("| " + found.legs[i].what);
  }
  return made;
}

std::string draw_path(const facts& known) {
  const route found = route_of(known);
  if (found.stops.empty()) return "";
  constexpr int box = 250;
  constexpr int gap = 210;
  const int width = static_cast<int>(found.stops.size()) * box + static_cast<int>(found.legs.size()) * gap;
  std::string made = fmt::format(
      "<svg class=\"path\" viewBox=\"0 0 {} 90\" role=\"img\" aria-label=\"the path\" "
      "xmlns=\"http://www.w3.org/2000/svg\">",
      width);
  for (std::size_t i = 0; i < found.stops.size(); ++i) {
    const int x = static_cast<int>(i) * (box + gap);
    made += fmt::format(
        "<rect x=\"{}\" y=\"15\" width=\"{}\" height=\"60\" rx=\"8\"/><text class=\"name\" x=\"{}\" "
        "y=\"42\">{}</text>"
        "<text class=\"place\" x=\"{}\" y=\"62\">{}</text>",
        x + 1, box - 2, x + box / 2, escaped(found.stops[i].name), x + box / 2,
        escaped(found.stops[i].place));
    if (i >= found.legs.size()) continue;
    made += fmt::format(
        "<line x1=\"{}\" y1=\"45\" x2=\"{}\" y2=\"45\"/><text class=\"leg\" x=\"{}\" y=\"36\">{}</text>",
        x + box, x + box + gap, x + box + gap / 2, escaped(found.legs[i].what));
  }
  return made + "</svg>";
}

}  // namespace trunkline::doctor
