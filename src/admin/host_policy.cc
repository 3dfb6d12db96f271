#include "admin/host_policy.h"

#include <algorithm>

namespace trunkline::admin {
namespace {

/// Lower case, without the port, the brackets of an IPv6 literal and the final dot of a full name.
std::string bare(std::string_view host) {
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string made(host);
  for (char& c : made)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return made;
}

}  // namespace

host_policy::host_policy(const config::address& listening)
    : loopback_(!listening.is_unix() && listening.is_local()), own_(listening.host) {}

bool host_policy::allows(const std::optional<std::string>& host) const {
  if (!loopback_ || !host) return true;
  const auto name = bare(*host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == own_;
}

}  // namespace trunkline::admin
