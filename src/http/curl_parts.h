// What both users of libcurl in this room need of it. Private to the room.
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "base/redacted.h"

namespace trunkline::http {

struct curl_closer {
  void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
};
using curl_handle = std::unique_ptr<CURL, curl_closer>;

struct list_closer {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, list_closer>;

/// Null where libcurl cannot be used.
inline curl_handle new_curl_handle() {
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return curl_handle(ready ? ::curl_easy_init() : nullptr);
}

inline void add_header(header_list& to, const std::string& line) {
  // An allocation that fails leaves the list as it was.
  if (curl_slist* longer = ::curl_slist_append(to.get(), line.c_str()); longer != nullptr) {
    (void)to.release();
    to.reset(longer);
  }
}

inline header_list headers_of(const std::vector<std::string>& lines, const secret_text& bearer) {
  header_list made;
  add_header(made, "Expect:");
  for (const std::string& each : lines)
    add_header(made, each);
  if (!bearer.empty()) add_header(made, "Authorization: Bearer " + bearer.reveal());
  return made;
}

/// As the answer asks for, within bounds; 0: it does not.
inline std::chrono::seconds retry_after_of(CURL* handle) {
  constexpr curl_off_t most = 3'600;
  curl_off_t seconds = 0;
  ::curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
  return std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, most));
}

/// As the answer's header says; 0: it does not, or not so that one could read it.
inline std::time_t date_of(CURL* handle) {
  curl_header* found = nullptr;
  if (::curl_easy_header(handle, "Date", 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return 0;
  return std::max<std::time_t>(::curl_getdate(found->value, nullptr), 0);
}

}  // namespace trunkline::http
