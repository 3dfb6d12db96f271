#include "doctor/path_drawing.h"

#include <algorithm>
#include <string_view>

#include "client/svg.h"
#include "doctor/figures.h"

namespace trunkline::doctor {
namespace {

struct stop {
  std::string name;
  std::string place;
};

struct leg {
  std::string secured;    ///< TLS
  std::string trip;       ///< empty: not known
  std::string note = {};  ///< what happens to addresses; empty: nothing
};

/// Two stops or more, and the legs between them.
struct route {
  std::vector<stop> stops;
  std::vector<leg> legs;
};

std::string trip_text(const std::optional<microseconds>& trip) {
  return trip ? "round trip " + text_of(*trip) : "";
}

std::string_view or_plaintext(std::string_view tls) {
  return tls.empty() ? "plaintext" : tls.substr(0, tls.find(' '));
}

leg first_leg(const facts& known) {
  leg made{known.tls ? known.tls->version : "plaintext", trip_text(known.syn)};
  if (known.gateway && known.gateway->client != known.gateway->client_is)
    made.note = "arrives as " + known.gateway->client;
  return made;
}

leg second_leg(const facts& known) {
  if (known.gateway) {
    leg made{std::string(or_plaintext(known.gateway->server_tls)), trip_text(known.gateway->server_trip)};
    if (!known.gateway->seen_as.empty() && known.gateway->local != known.gateway->seen_as)
      made.note = "arrives as " + known.gateway->seen_as;
    return made;
  }
  if (!known.server_leg_tls) return {"TLS not known", ""};
  return {*known.server_leg_tls ? "TLS" : "plaintext", ""};
}

stop middle_stop(const facts& known) {
  if (known.gateway)
    return {"trunkline, route " + known.gateway->route +
                (known.gateway->pooling.empty() ? "" : ", " + known.gateway->pooling + " pooling"),
            known.address};
  if (known.trunkline) return {"trunkline", known.address};
  const bool pools = known.mode != pooling::unknown && known.mode != pooling::none;
  return {pools ? "pooler" : "proxy", known.address};
}

std::string server_place(const facts& known, bool proxied) {
  if (!known.server_seen_as.empty()) return known.server_seen_as;
  if (known.gateway) return known.gateway->endpoint;
  return proxied ? "a unix socket, or hidden" : known.address;
}

route route_of(const facts& known) {
  route made;
  if (known.address.empty()) return made;
  made.stops.push_back({"this host", known.client_is});
  made.legs.push_back(first_leg(known));
  const bool proxied = is_proxied(known);
  if (proxied) {
    made.stops.push_back(middle_stop(known));
    made.legs.push_back(second_leg(known));
  }
  std::string server = "server";
  if (!known.server_version.empty()) server = "PostgreSQL " + known.server_version;
  if (known.in_recovery) server += *known.in_recovery ? " (replica)" : " (primary)";
  made.stops.push_back({std::move(server), server_place(known, proxied)});
  return made;
}

/// What is longer than its box is cut, in the middle: both ends tell most.
std::string fitting(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  const auto is_inside = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  std::size_t head = (most - 3) / 2;
  std::size_t tail = text.size() - head;
  while (head > 0 && is_inside(head))
    --head;
  while (tail + 1 < text.size() && is_inside(tail))
    ++tail;
  return text.substr(0, head) + "..." + text.substr(tail);
}

}  // namespace

std::vector<std::string> hops_of(const facts& known) {
  const route found = route_of(known);
  std::vector<std::string> made;
  for (std::size_t i = 0; i < found.stops.size(); ++i) {
    const stop& each = found.stops[i];
    made.push_back(each.place.empty() ? each.name : each.name + ", " + each.place);
    if (i >= found.legs.size()) continue;
    std::string between = "| " + found.legs[i].secured;
    for (const auto& more : {found.legs[i].trip, found.legs[i].note})
      if (!more.empty()) between += ", " + more;
    made.push_back(std::move(between));
  }
  return made;
}

std::string draw_path(const facts& known) {
  const route found = route_of(known);
  if (found.stops.empty()) return "";
  constexpr double box = 250;
  constexpr double gap = 190;
  constexpr double middle = 45;
  constexpr std::size_t characters = 34;
  const auto width =
      static_cast<double>(found.stops.size()) * box + static_cast<double>(found.legs.size()) * gap;
  client::svg made(width, 90, "path", "the path");
  for (std::size_t i = 0; i < found.stops.size(); ++i) {
    const double x = static_cast<double>(i) * (box + gap);
    made.rect({x + 1, 15}, box - 2, 60, "stop");
    made.text(x + box / 2, middle - 3, "name", fitting(found.stops[i].name, characters));
    made.text(x + box / 2, middle + 17, "place", fitting(found.stops[i].place, characters + 4));
    if (i >= found.legs.size()) continue;
    const leg& over = found.legs[i];
    made.line({x + box, middle}, {x + box + gap, middle}, "wire");
    made.text(x + box + gap / 2, middle - 8, "leg", fitting(over.secured, characters));
    made.text(x + box + gap / 2, middle + 17, "leg", fitting(over.trip, characters));
    made.text(x + box + gap / 2, middle + 33, "leg", fitting(over.note, characters));
  }
  return made.take();
}

}  // namespace trunkline::doctor
