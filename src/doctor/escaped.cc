#include "doctor/escaped.h"

namespace trunkline::doctor {

std::string escaped(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (const char each : text) {
    if (each == '&') {
      made += "&amp;";
    } else if (each == '<') {
      made += "&lt;";
    } else if (each == '>') {
      made += "&gt;";
    } else if (each == '"') {
      made += "&quot;";
    } else {
      made += each;
    }
  }
  return made;
}

}  // namespace trunkline::doctor
