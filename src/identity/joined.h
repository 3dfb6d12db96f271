// Texts that are different for different things, to tell one from another; and addresses of an API server.
// Pure; any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::identity {

/// Different for different texts: each with its length before it.
std::string joined(std::initializer_list<std::string_view> texts);
std::string joined(const std::vector<std::string>& texts);

/// `path` begins with a slash; the server's address may end with one.
std::string api_url(std::string_view server, std::string_view path);

}  // namespace trunkline::identity
