// Any bytes as a line: read or refused; what is JSON with the three fields that every line has is read.
#include <cstdlib>
#include <string>

#include "audit/line_filter.h"
#include "audit/line_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::audit;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  line_view view;
  line_filter filter;
  filter.text = "Select";
  filter.principal = "a\"b";
  if (view.read(line)) {
    filter.fits(view);
    if (view.seq == 0 || read_time(time_of(view.time_us)) != view.time_us) std::abort();
  }
  if (find_ignoring_case(line, "ab") != std::string_view::npos && line.size() < 2) std::abort();
  return 0;
}
