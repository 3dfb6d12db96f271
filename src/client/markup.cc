#include "client/markup.h"

namespace trunkline::client {

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (each == '&') {
      made += "&amp;";
    } else if (each == '<') {
      made += "&lt;";
    } else if (each == '>') {
      made += "&gt;";
    } else if (each == '"') {
      made += "&quot;";
    } else if (each == '\'') {
      made += "&#39;";
    } else {
      made += static_cast<unsigned char>(each) < ' ' ? ' ' : each;
    }
  }
  return made;
}

}  // namespace trunkline::client
