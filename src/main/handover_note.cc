#include "main/handover_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace trunkline::main {
namespace {

constexpr std::string_view version = "1";
constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/[]-";

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (plain.contains(each)) {
      made += each;
    } else {
      made += fmt::format("%{:02X}", static_cast<unsigned char>(each));
    }
  }
  return made;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      made += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || read.ptr != digits.data() + 2) return std::nullopt;
    made += static_cast<char>(byte);
    i += 2;
  }
  return made;
}

std::string_view cut(std::string_view& rest, char at) {
  const std::size_t end = std::min(rest.find(at), rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

std::optional<int> descriptor(std::string_view text) {
  int fd = -1;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), fd);
  // 0, 1 and 2 are never handed over.
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || fd < 3) return std::nullopt;
  return fd;
}

bool read_entry(std::string_view entry, handover_note& note) {
  const std::string_view key = cut(entry, '=');
  const auto fd = descriptor(cut(entry, ','));
  if (!fd) return false;
  if (key == "link") {
    note.link = *fd;
    return entry.empty();
  }
  const auto name = unescaped(cut(entry, ','));
  const auto address = unescaped(entry);
  if ((key != "listener" && key != "admin") || !name || !address || address->empty()) return false;
  note.sockets.push_back({key == "admin" ? socket_use::admin : socket_use::listener, *name, *address, *fd});
  return true;
}

}  // namespace

std::string encode_handover(const handover_note& note) {
  std::string text = fmt::format("{} link={}", version, note.link);
  for (const handed_socket& each : note.sockets) {
    text += fmt::format(" {}={},{},{}", each.use == socket_use::admin ? "admin" : "listener", each.fd,
                        escaped(each.name), escaped(each.address));
  }
  return text;
}

result<handover_note> decode_handover(std::string_view text) {
  const auto wrong = [] {
    return fail({.message = fmt::format("{} says nothing that this version understands", handover_variable)});
  };
  handover_note note;
  if (cut(text, ' ') != version) return wrong();
  while (!text.empty())
    if (!read_entry(cut(text, ' '), note)) return wrong();
  if (note.link < 0) return wrong();
  return note;
}

std::size_t find_handed(const std::vector<handed_socket>& sockets, socket_use use, std::string_view name,
                        std::string_view address) {
  const auto find = [&](bool by_name) {
    const auto fits = [&](const handed_socket& each) {
      return each.use == use && each.address == address && (!by_name || each.name == name);
    };
    return static_cast<std::size_t>(std::ranges::find_if(sockets, fits) - sockets.begin());
  };
  const std::size_t same = find(true);
  return same < sockets.size() || address.ends_with(":0") ? same : find(false);
}

}  // namespace trunkline::main
