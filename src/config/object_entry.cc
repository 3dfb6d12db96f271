#include "config/object_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/limits_kubernetes.h"
#include "config/kubernetes_names.h"

namespace trunkline::config {

namespace {

node_ptr text_node(std::string text) {
  node made;
  made.kind = node_kind::scalar;
  made.text = std::move(text);
  made.quoted = true;
  return std::make_shared<const node>(std::move(made));
}

std::vector<node_entry>::iterator find_entry(node& in, std::string_view key) {
  return std::find_if(in.entries.begin(), in.entries.end(),
                      [&](const node_entry& each) { return each.key == key; });
}

void put_entry(node& in, std::string_view key, node_ptr value) {
  const auto there = find_entry(in, key);
  if (there == in.entries.end()) {
    in.entries.push_back({std::string(key), {}, std::move(value)});
  } else {
    there->value = std::move(value);
  }
}

std::optional<std::int64_t> read_priority(const node& value) {
  if (value.kind != node_kind::scalar || value.quoted) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = value.text.data() + value.text.size();
  const auto read = std::from_chars(value.text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  if (number < -limits::object_priority || number > limits::object_priority) return std::nullopt;
  return number;
}

/// What is wrong with it, key by key, before its section is read.
std::string prepare(object_entry& made) {
  const config_object& of = *made.of;
  if (!is_kubernetes_label(of.name_space) || !is_kubernetes_name(of.name) ||
      of.name.size() > limits::config_name_bytes)
    return object_message("metadata.name", "cannot be a name here",
                          fmt::format("at most {} characters", limits::config_name_bytes));
  if (of.spec == nullptr || of.spec->kind != node_kind::mapping)
    return object_message("spec", "is missing", "a mapping");
  node tree = *of.spec;
  tree.of_object = true;
  if (tree.find("name") != nullptr) return object_message("spec.name", "unknown key", "metadata.name alone");
  const auto priority = find_entry(tree, "priority");
  if (of.kind != object_kind::upstream && priority != tree.entries.end()) {
    const auto read = read_priority(*priority->value);
    if (!read)
      return object_message("spec.priority", "is no priority",
                            fmt::format("a whole number from -{0} to {0}", limits::object_priority));
    made.priority = *read;
    tree.entries.erase(priority);
  }
  const node* to = of.kind == object_kind::route ? tree.find("upstream") : nullptr;
  if (to != nullptr) made.upstream = to->text;
  put_entry(tree, "name", text_node(made.name));
  made.tree = std::make_shared<const node>(std::move(tree));
  return {};
}

/// A name that fits, and is still nobody else's.
std::string short_name(const std::string& name) {
  if (name.size() <= limits::config_name_bytes) return name;
  return fmt::format("{}-{:016x}", name.substr(0, limits::config_name_bytes - 17),
                     std::hash<std::string>()(name));
}

node_ptr denial_of_all(const object_entry& in_place_of) {
  const config_object& of = *in_place_of.of;
  const node* effect =
      of.kind == object_kind::policy && of.spec != nullptr ? of.spec->find("effect") : nullptr;
  if (effect == nullptr || effect->text != "deny" || !is_kubernetes_label(of.name_space)) return nullptr;
  node subjects;
  subjects.kind = node_kind::mapping;
  put_entry(subjects, "user", text_node("*"));
  node made;
  made.kind = node_kind::mapping;
  made.of_object = true;
  put_entry(made, "name", text_node(of.name_space + "/" + short_name(of.name)));
  put_entry(made, "effect", text_node("deny"));
  put_entry(made, "subjects", std::make_shared<const node>(std::move(subjects)));
  return std::make_shared<const node>(std::move(made));
}

/// "upstreams[3].tls" is its upstream's tls, and "access.policies[3] (p)" a policy (p).
std::string without_places(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> words{
      {{"upstreams[", "its upstream's "}, {"access.policies[", "policy "}}};
  std::string made(text);
  for (const auto& [list, word] : words) {
    for (auto at = made.find(list); at != std::string::npos; at = made.find(list, at + word.size())) {
      const auto end = made.find_first_of(". ", made.find(']', at));
      if (end == std::string::npos) break;
      made.replace(at, end + 1 - at, word);
    }
  }
  return made;
}

/// `mapping` with entries at the end of the list `key`.
node with_items(const node& mapping, std::string_view key, const std::vector<node_ptr>& items) {
  node made = mapping;
  node list;
  list.kind = node_kind::list;
  if (const node* there = made.find(key)) list = *there;
  if (list.kind != node_kind::list) return made;
  list.items.insert(list.items.end(), items.begin(), items.end());
  put_entry(made, key, std::make_shared<const node>(std::move(list)));
  return made;
}

}  // namespace

object_entry entry_of(const config_object& object) {
  object_entry made;
  made.of = &object;
  made.name = object.name_space + "/" + object.name;
  made.instead = denial_of_all(made);
  if (std::string wrong = prepare(made); !wrong.empty())
    made.refuse({object_verdict::reason::invalid, std::move(wrong)});
  return made;
}

bool comes_before(const object_entry& a, const object_entry& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  return std::tie(a.of->created_seconds, a.name) < std::tie(b.of->created_seconds, b.name);
}

std::string object_message(std::string_view key, std::string_view text, std::string_view expected) {
  std::string made = fmt::format("{}: {}", key, without_places(text));
  if (!expected.empty()) made += fmt::format(" (expected {})", without_places(expected));
  if (made.size() <= limits::object_message_bytes) return made;
  auto cut = limits::object_message_bytes;
  while (cut > 0 && (static_cast<unsigned char>(made[cut]) & 0xc0U) == 0x80)
    --cut;  // not within a character
  return made.substr(0, cut) + "…";
}

node_ptr with_text(const node& mapping, std::string_view key, std::string text) {
  node made = mapping;
  put_entry(made, key, text_node(std::move(text)));
  return std::make_shared<const node>(std::move(made));
}

node with_entries(const node& root, std::string_view list, const std::vector<node_ptr>& entries) {
  const auto dot = list.find('.');
  if (dot == std::string_view::npos) return with_items(root, list, entries);
  node made = root;
  node section;
  section.kind = node_kind::mapping;
  if (const node* there = made.find(list.substr(0, dot))) section = *there;
  if (section.kind != node_kind::mapping) return made;
  put_entry(made, list.substr(0, dot),
            std::make_shared<const node>(with_items(section, list.substr(dot + 1), entries)));
  return made;
}

std::size_t entries_in(const node& root, std::string_view list) {
  const auto dot = list.find('.');
  const node* there = root.find(list.substr(0, dot));
  if (there != nullptr && dot != std::string_view::npos) there = there->find(list.substr(dot + 1));
  return there == nullptr ? 0 : there->items.size();
}

std::optional<object_key> read_object_key(std::string_view key) {
  for (std::size_t list = 0; list < object_lists.size(); ++list) {
    if (!key.starts_with(object_lists[list])) continue;
    std::string_view rest = key.substr(object_lists[list].size());
    if (!rest.starts_with('[')) continue;
    rest.remove_prefix(1);
    std::size_t index = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    const auto digits = static_cast<std::size_t>(read.ptr - rest.data());
    if (read.ec == std::errc() && rest.substr(digits).starts_with(']'))
      return object_key{list, index, rest.substr(digits + 1)};
  }
  return std::nullopt;
}

}  // namespace trunkline::config
