// What a request asks for behind the '?': only names that the page knows, each at most once. Any thread.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http_message.h"

namespace trunkline::admin {

class query {
 public:
  query(const http_request& of, std::initializer_list<std::string_view> known);

  /// The refusal where the query has a name that the page does not know, one twice, or a number that is none.
  const std::optional<http_response>& refusal() const { return refusal_; }
  /// Nothing where it was not asked for.
  std::optional<std::string_view> text(std::string_view name) const;
  /// From 1 to `most`, where `otherwise` is the default.
  std::size_t count(std::string_view name, std::size_t otherwise, std::size_t most);

 private:
  const http_request& of_;
  std::optional<http_response> refusal_;
};

}  // namespace trunkline::admin
