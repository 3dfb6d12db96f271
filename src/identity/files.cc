#include "identity/files.h"

#include <fstream>
#include <utility>

#include "base/limits.h"

namespace trunkline::identity {

/// One byte more than allowed is enough to know that it is too long.
result<secret_text> read_text_file(const std::string& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  std::string text(most + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) return fail({.message = path + ": cannot be read"});
  text.resize(static_cast<std::size_t>(file.gcount()));
  secret_text made(std::move(text));
  if (made.reveal().size() > most) return fail({.message = path + ": is too long"});
  return made;
}

result<secret_text> read_token_file(const std::string& path) {
  auto text = read_text_file(path, limits::token_bytes);
  if (!text) return text;
  std::string_view token = text->reveal();
  while (token.ends_with('\n') || token.ends_with('\r'))
    token.remove_suffix(1);
  // It becomes a part of a header.
  if (token.empty() || token.find_first_of(std::string_view("\0\r\n \t", 5)) != std::string_view::npos)
    return fail({.message = path + ": holds no token"});
  return secret_text(std::string(token));
}

result<std::shared_ptr<const auth::key_set>> read_key_file(const std::string& path) {
  auto text = read_text_file(path, limits::issuer_answer_bytes);
  if (!text) return fail(text.error());
  auto keys = auth::key_set::parse(text->reveal());
  if (!keys) return fail({.message = path + ": " + keys.error().message});
  return std::make_shared<const auth::key_set>(std::move(*keys));
}

}  // namespace trunkline::identity
