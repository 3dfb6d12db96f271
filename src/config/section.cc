#include "config/section.h"

#include <fmt/format.h>

#include <unordered_map>

#include "config/kubernetes_names.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= limits::config_name_bytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c == '-' || c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                  (c >= 'A' && c <= 'Z');
         });
}

std::vector<std::string> leaves(const std::vector<const schema_key*>& keys, bool of_object) {
  std::vector<std::string> names;
  for (const auto* key : keys) {
    if (key->kind != value_kind::later && (!of_object || is_for_objects(*key)))
      names.emplace_back(key->leaf());
  }
  return names;
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string is_this(node_kind what) {
  return what == node_kind::null ? "has no value" : fmt::format("is {}", kind_name(what));
}

/// Empty where it is a list with entries, and not too many.
std::string list_complaint(const node& value) {
  if (value.kind != node_kind::list) return is_this(value.kind);
  if (value.items.empty()) return "is an empty list";
  return value.items.size() > limits::config_list_entries
             ? fmt::format("has more than {} entries", limits::config_list_entries)
             : "";
}

/// A reload makes very many of them.
std::string joined_path(std::string_view parent, std::string_view leaf) {
  if (parent.empty()) return std::string(leaf);
  std::string made;
  made.reserve(parent.size() + 1 + leaf.size());
  made += parent;
  made += '.';
  made += leaf;
  return made;
}

/// Of an object, whose name objects.cc has written before it.
std::string_view namespace_of(const node& object) {
  const std::string_view name = object.find("name")->text;
  return name.substr(0, name.find('/'));
}

bool is_whole_environment_reference(std::string_view text) {
  return text.starts_with("${") && text.find('}') == text.size() - 1;
}

}  // namespace

section::section(load_state& state, const node* from, std::string schema_path, std::string key_path,
                 std::string_view name_space)
    : state_(&state),
      from_(from),
      schema_path_(std::move(schema_path)),
      key_path_(std::move(key_path)),
      name_space_(name_space),
      known_(&leaves_of(schema_path_)) {
  if (from_ != nullptr && from_->kind != node_kind::mapping) {
    state_->problem(from_->where, key_path_, is_this(from_->kind), "a mapping");
    from_ = nullptr;
  }
  if (from_ != nullptr) check_keys();
}

std::string section::path_of(std::string_view key) const {
  return joined_path(key_path_, key);
}

const node* section::find(std::string_view key) const {
  return from_ == nullptr ? nullptr : from_->find(key);
}

const schema_key& section::describe(std::string_view key) const {
  static const schema_key unknown{};
  const auto found = known_->find(key);
  return found == known_->end() ? unknown : *found->second;
}

void section::check_keys() {
  std::unordered_map<std::string_view, place> seen;
  seen.reserve(from_->entries.size());
  for (const auto& entry : from_->entries) {
    const auto [first, fresh] = seen.try_emplace(entry.key, entry.where);
    if (fresh) {
      check_one_key(entry);
    } else {
      state_->problem(entry.where, path_of(entry.key),
                      fmt::format("stands here again, after line {}", first->second.line), "the key once");
    }
  }
  for (const auto* key : keys_of(schema_path_)) {
    if (!key->required || from_->find(key->leaf()) != nullptr || may_lack(*key)) continue;
    state_->problem(from_->where, path_of(key->leaf()), "is missing", expectation(*key));
  }
}

/// Objects bring routes and upstreams, and have a namespace.
bool section::may_lack(const schema_key& key) const {
  if (of_object()) return key.leaf() == "namespace";
  return state_->has_objects && (key.path == "routes" || key.path == "upstreams");
}

/// Files and variables are the gateway's, and not for whoever may write an object.
void section::check_for_object(const node_entry& entry, const schema_key& key) {
  if (is_for_objects(key)) return;
  std::string instead(key.leaf());
  if (instead.ends_with("File")) instead.resize(instead.size() - 4);
  instead = find_key(schema_path_ + ".certSecret") != nullptr && (instead == "cert" || instead == "key")
                ? "certSecret"
                : instead + "Secret";
  const bool has_secret = find_key(fmt::format("{}.{}", schema_path_, instead)) != nullptr;
  state_->problem(entry.where, path_of(entry.key), "is for the gateway's own file, and not for an object",
                  has_secret ? instead : "to be left out");
}

void section::check_one_key(const node_entry& entry) {
  const auto match = known_->find(entry.key);
  if (match != known_->end()) {
    if (match->second->kind == value_kind::later) {
      state_->problem(entry.where, path_of(entry.key), "not supported by this version",
                      expectation(*match->second));
    } else if (of_object()) {
      check_for_object(entry, *match->second);
    }
    return;
  }
  const auto names = leaves(keys_of(schema_path_), of_object());
  const auto near = nearest(entry.key, names);
  const auto shown = quote(entry.key);
  state_->problem(entry.where, path_of(shown.substr(1, shown.size() - 2)),
                  near ? fmt::format("unknown key, did you mean `{}`?", *near) : "unknown key",
                  enumerate(names));
}

void section::wrong(place where, std::string key_path, const schema_key& key, std::string text) {
  state_->problem(where, std::move(key_path), std::move(text), expectation(key));
}

std::optional<section::scalar> section::read_scalar(const node& value, const schema_key& key,
                                                    const std::string& key_path) {
  if (value.kind != node_kind::scalar) {
    wrong(value.where, key_path, key, is_this(value.kind));
    return std::nullopt;
  }
  auto expanded = of_object() ? std::optional(value.text) : state_->expand(value, key_path);
  if (!expanded) return std::nullopt;
  if (expanded->size() > limits::config_text_bytes) {
    wrong(value.where, key_path, key, fmt::format("is longer than {} bytes", limits::config_text_bytes));
    return std::nullopt;
  }
  const bool from_environment = *expanded != value.text;
  if (expanded->empty() && key.kind != value_kind::parameters) {
    wrong(value.where, key_path, key, from_environment ? quote(value.text) + " is empty" : "is empty");
    return std::nullopt;
  }
  return scalar{std::move(*expanded), value.text, value.where, !value.quoted || from_environment, key_path};
}

std::optional<section::scalar> section::scalar_of(std::string_view key) {
  const auto& described = describe(key);
  if (const auto* value = find(key)) {
    if (auto read = read_scalar(*value, described, path_of(key))) return read;
  }
  if (described.default_text.empty()) return std::nullopt;
  return scalar{described.default_text, described.default_text, {}, true, {}};
}

std::vector<section::scalar> section::scalars_of(std::string_view key, bool one_is_enough) {
  const auto* value = find(key);
  const auto& described = describe(key);
  std::vector<scalar> list;
  if (value == nullptr) return list;
  if (value->kind == node_kind::scalar && one_is_enough) {
    if (auto read = read_scalar(*value, described, path_of(key))) list.push_back(std::move(*read));
    return list;
  }
  if (const auto complaint = list_complaint(*value); !complaint.empty()) {
    wrong(value->where, path_of(key), described, complaint);
    return list;
  }
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    auto read = read_scalar(*value->items[i], described, fmt::format("{}[{}]", path_of(key), i));
    if (read) list.push_back(std::move(*read));
  }
  return list;
}

std::string section::text(std::string_view key) {
  auto value = scalar_of(key);
  if (!value) return {};
  const auto& described = describe(key);
  if (described.kind == value_kind::name && !is_name(value->text) && !is_object_name(value->text)) {
    wrong(value->where, path_of(key), described, quote(value->shown) + " is not a name");
  }
  return std::move(value->text);
}

/// NAMESPACE/NAME, as objects.cc has written it.
bool section::is_object_name(std::string_view text) const {
  if (!of_object() || !text.starts_with(name_space_)) return false;
  text.remove_prefix(name_space_.size());
  return text.starts_with('/') && is_name(text.substr(1));
}

std::string section::namespace_text(std::string_view key) {
  if (!of_object()) return text(key);
  if (has(key) && text(key) != name_space_)
    refuse(key, quote(text(key)) + " is another namespace than the object's own", "to be left out");
  return name_space();
}

std::vector<std::string> section::texts(std::string_view key) {
  std::vector<std::string> list;
  for (auto& value : scalars_of(key, true)) {
    if (value.text.size() > limits::config_pattern_bytes) {
      wrong(value.where, value.key, describe(key),
            fmt::format("is longer than {} bytes", limits::config_pattern_bytes));
    }
    list.push_back(std::move(value.text));
  }
  return list;
}

bool section::boolean(std::string_view key) {
  const auto value = scalar_of(key);
  if (!value) return false;
  const bool known = value->plain && (value->text == "true" || value->text == "false");
  if (!known)
    wrong(value->where, path_of(key), describe(key), quote(value->shown) + " is neither true nor false");
  return known && value->text == "true";
}

std::int64_t section::integer(std::string_view key) {
  const auto& described = describe(key);
  const auto fallback = parse_integer(described.default_text).value_or(0);
  const auto value = scalar_of(key);
  if (!value) return fallback;
  const auto number = value->plain ? parse_integer(value->text) : std::nullopt;
  if (number && *number >= described.least && *number <= described.most) return *number;
  wrong(value->where, path_of(key), described,
        quote(value->shown) + (number ? " is out of range" : " is not a whole number"));
  return fallback;
}

milliseconds section::duration(std::string_view key) {
  const auto& described = describe(key);
  const auto fallback = parse_duration(described.default_text).value_or(milliseconds{0});
  const auto value = scalar_of(key);
  if (!value) return fallback;
  const auto read = parse_duration(value->text);
  if (read && read->count() >= described.least && read->count() <= described.most) return *read;
  wrong(value->where, path_of(key), described,
        quote(value->shown) + (read ? " is out of range" : " is not a duration"));
  return fallback;
}

std::size_t section::size(std::string_view key) {
  const auto& described = describe(key);
  const auto fallback = static_cast<std::size_t>(parse_size(described.default_text).value_or(0));
  const auto value = scalar_of(key);
  if (!value) return fallback;
  const auto read = parse_size(value->text);
  if (read && *read >= static_cast<std::uint64_t>(described.least)) return static_cast<std::size_t>(*read);
  wrong(value->where, path_of(key), described,
        quote(value->shown) + (read ? " is out of range" : " is not a size"));
  return fallback;
}

std::string section::folder(std::string_view key) {
  const auto value = scalar_of(key);
  if (!value) return {};
  if (!value->text.empty() && value->text.find('\0') == std::string::npos)
    return state_->absolute(value->text);
  wrong(value->where, path_of(key), describe(key), quote(value->shown) + " is not a path");
  return {};
}

namespace {

bool is_url(std::string_view text) {
  const auto host = text.starts_with("http://")    ? text.substr(7)
                    : text.starts_with("https://") ? text.substr(8)
                                                   : "";
  return !host.empty() && host.front() != '/' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string section::url(std::string_view key) {
  const auto value = scalar_of(key);
  if (!value) return {};
  if (is_url(value->text)) return value->text;
  wrong(value->where, path_of(key), describe(key), quote(value->shown) + " is not a URL");
  return {};
}

std::pair<secret_text, std::string> section::secret_url() {
  std::string path = file("urlFile");
  const auto* direct = find("url");
  if (path.empty() && direct == nullptr && find("urlFile") == nullptr)
    refuse("url", "is missing", "it, or urlFile");
  if (!path.empty() && direct != nullptr)
    wrong(direct->where, path_of("url"), describe("url"), "stands beside urlFile; only one can hold");
  if (path.empty()) return {secret_text(url("url")), {}};
  auto held = state_->read_secret(find("urlFile")->where, path_of("urlFile"), path);
  if (!held.empty() && !is_url(held.reveal())) {
    refuse("urlFile", "does not hold a URL", "https://, or http:// on loopback");
    held = {};
  }
  return {std::move(held), std::move(path)};
}

unsigned section::workers(std::string_view key, std::string_view what) {
  const auto value = scalar_of(key);
  if (!value || value->text == "auto") return 0;
  const auto& described = describe(key);
  const auto number = value->plain ? parse_integer(value->text) : std::nullopt;
  if (number && *number >= described.least && *number <= described.most)
    return static_cast<unsigned>(*number);
  wrong(value->where, path_of(key), described, quote(value->shown) + " is not " + std::string(what));
  return 0;
}

std::vector<network_range> section::ranges(std::string_view key) {
  std::vector<network_range> list;
  for (const auto& value : scalars_of(key, true)) {
    if (const auto range = network_range::parse(value.text)) {
      list.push_back(*range);
      continue;
    }
    const auto base = ip_address::parse(std::string_view(value.text).substr(0, value.text.find('/')));
    wrong(value.where, value.key, describe(key),
          quote(value.shown) +
              (base ? " has bits behind its prefix, or no fitting prefix" : " is not a range"));
  }
  return list;
}

std::optional<address> section::listen_address(std::string_view key) {
  const auto value = scalar_of(key);
  if (!value) return std::nullopt;
  if (auto parsed = parse_listen_address(value->text)) return parsed;
  const bool named = parse_endpoint(value->text).has_value();
  wrong(value->where, path_of(key), describe(key),
        quote(value->shown) +
            (named ? " has a name where an IP address belongs" : " is not an address to listen on"));
  return std::nullopt;
}

std::vector<address> section::endpoints(std::string_view key) {
  std::vector<address> list;
  for (const auto& value : scalars_of(key, false)) {
    auto parsed = parse_endpoint(value.text);
    if (parsed && parsed->is_unix() && of_object()) {
      state_->problem(value.where, value.key, "a socket of the gateway's own machine is not for an object",
                      "an address such as db.example.org:5432");
    } else if (parsed) {
      list.push_back(std::move(*parsed));
    } else {
      wrong(value.where, value.key, describe(key), quote(value.shown) + " is not the address of a server");
    }
  }
  return list;
}

std::string section::file(std::string_view key) {
  if (of_object()) return {};  // check_for_object has said so
  const auto value = scalar_of(key);
  if (!value) return {};
  return state_->resolve_file(value->where, path_of(key), value->text);
}

std::pair<secret_text, std::string> section::key_file(std::string_view key) {
  std::string path = file(key);
  if (path.empty()) return {};
  auto secret = state_->read_key(find(key)->where, path_of(key), path);
  return {std::move(secret), std::move(path)};
}

secret_reference section::reference(std::string_view key) {
  const auto& described = describe(key);
  const bool is_pair = described.kind == value_kind::tls_secret;
  section from(*state_, find(key), std::string(is_pair ? tls_secret_path : secret_key_path), path_of(key),
               name_space_);
  if (!from.present()) return {};
  secret_reference made{.name_space = from.namespace_text("namespace"), .name = from.text("name"), .key = {}};
  if (!is_pair) made.key = from.has("key") ? from.text("key") : described.secret_default;
  bool good = true;
  const auto check = [&](std::string_view leaf, const std::string& text, bool fits, const char* expected) {
    if (!fits && !text.empty()) from.refuse(leaf, quote(text) + " cannot be such a name", expected);
    good = good && fits;
  };
  check("namespace", made.name_space, is_kubernetes_label(made.name_space), "a namespace's name");
  check("name", made.name, is_kubernetes_name(made.name), "a Secret's name");
  check("key", made.key, is_pair || is_secret_key(made.key), "letters, digits, '-', '_' and '.'");
  return good ? made : secret_reference{};
}

std::string section::file_or_secret(std::string_view stem) {
  const std::string file_key = std::string(stem) + "File";
  const std::string secret_key = std::string(stem) + "Secret";
  std::string path = file(file_key);
  if (!has(secret_key)) return path;
  const auto wanted = reference(secret_key);
  if (has(file_key) && !of_object())
    refuse(secret_key, fmt::format("stands beside {}; only one can hold", file_key), "one of the two");
  if (wanted.name.empty()) return path;
  return state_->resolve_secret(find(secret_key)->where, path_of(secret_key), wanted);
}

std::pair<std::string, std::string> section::certificate_files() {
  std::pair<std::string, std::string> made{file("certFile"), file("keyFile")};
  if (!has("certSecret")) return made;
  auto wanted = reference("certSecret");
  if ((has("certFile") || has("keyFile")) && !of_object())
    refuse("certSecret", "stands beside certFile or keyFile; only one can hold", "one of the two");
  if (wanted.name.empty()) return made;
  const auto path_to = [&](const char* key) {
    wanted.key = key;
    return state_->resolve_secret(find("certSecret")->where, path_of("certSecret"), wanted);
  };
  made.first = path_to("tls.crt");
  made.second = path_to("tls.key");
  return made;
}

std::pair<secret_text, std::string> section::password() {
  std::string path = file_or_secret("password");
  const auto* direct = of_object() ? nullptr : find("password");
  if (direct == nullptr) {
    if (path.empty()) return {};
    const std::string_view key = has("passwordSecret") ? "passwordSecret" : "passwordFile";
    auto secret = state_->read_secret(find(key)->where, path_of(key), path);
    return {std::move(secret), std::move(path)};
  }
  const auto& described = describe("password");
  if (!path.empty())
    wrong(direct->where, path_of("password"), described,
          fmt::format("stands beside {}; only one can hold",
                      has("passwordSecret") ? "passwordSecret" : "passwordFile"));
  if (direct->kind == node_kind::scalar && !is_whole_environment_reference(direct->text)) {
    wrong(direct->where, path_of("password"), described, "a password must not stand in the file");
    return {};
  }
  auto value = read_scalar(*direct, described, path_of("password"));
  if (!value) return {};
  return {secret_text{std::move(value->text)}, std::string{}};
}

std::vector<std::pair<std::string, std::string>> section::parameters(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> list;
  const auto* value = find(key);
  if (value == nullptr) return list;
  const auto& described = describe(key);
  if (value->kind != node_kind::mapping || value->entries.size() > limits::config_list_entries) {
    const auto too_many = fmt::format("has more than {} entries", limits::config_list_entries);
    wrong(value->where, path_of(key), described,
          value->kind == node_kind::mapping ? too_many : is_this(value->kind));
    return list;
  }
  for (const auto& entry : value->entries) {
    const auto shown = quote(entry.key);
    const auto entry_path = fmt::format("{}.{}", path_of(key), shown.substr(1, shown.size() - 2));
    const bool again =
        std::any_of(list.begin(), list.end(), [&](const auto& pair) { return pair.first == entry.key; });
    if (again) state_->problem(entry.where, entry_path, "stands here again", "the key once");
    if (auto read = read_scalar(*entry.value, described, entry_path)) {
      list.emplace_back(entry.key, std::move(read->text));
    }
  }
  return list;
}

section section::child(std::string_view key) {
  return {*state_, find(key), joined_path(schema_path_, key), path_of(key), name_space_};
}

std::vector<section> section::children(std::string_view key) {
  std::vector<section> list;
  const auto* value = find(key);
  if (value == nullptr) return list;
  if (const auto complaint = list_complaint(*value); !complaint.empty()) {
    wrong(value->where, path_of(key), describe(key), complaint);
    return list;
  }
  const auto path = joined_path(schema_path_, key) + "[]";
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const node& item = *value->items[i];
    list.emplace_back(*state_, &item, path, fmt::format("{}[{}]", path_of(key), i),
                      item.of_object ? namespace_of(item) : name_space_);
  }
  return list;
}

std::string section::choice_word(std::string_view key) {
  const auto value = scalar_of(key);
  if (!value) return {};
  const auto& described = describe(key);
  if (of_object() && contains(described.file_choices, value->text)) {
    wrong(value->where, path_of(key), described,
          quote(value->shown) + " is for the gateway's own file, and not for an object");
    return described.default_text;
  }
  if (contains(described.choices, value->text)) return value->text;
  if (contains(described.later, value->text)) {
    wrong(value->where, path_of(key), described, quote(value->shown) + " is not supported by this version");
    return described.default_text;
  }
  const auto near = nearest(value->text, described.choices);
  wrong(value->where, path_of(key), described,
        quote(value->shown) + (near ? fmt::format(" is unknown, did you mean `{}`?", *near) : " is unknown"));
  return described.default_text;
}

}  // namespace trunkline::config
