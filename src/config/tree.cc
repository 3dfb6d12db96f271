#include "config/tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <utility>

#include "base/limits.h"

namespace trunkline::config {

namespace {

place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

/// Leaves the parser; caught in parse_tree and nowhere else.
struct refused {
  tree_error why;
};

class tree_builder final : public YAML::EventHandler {
 public:
  node_ptr take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    node made;
    // The parser marks a missing value where the next thing stands, which may be lines away from its key.
    const bool has_key = !stack_.empty() && stack_.back().key;
    made.where = has_key ? stack_.back().key->where : place_of(mark);
    finish(std::make_shared<const node>(std::move(made)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) {
      throw refused{
          {place_of(mark), "this alias stands inside what it stands for", "an alias of something complete"}};
    }
    add(known->second, place_of(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    node made;
    made.kind = node_kind::scalar;
    made.where = place_of(mark);
    made.text = value;
    made.quoted = tag == "!";
    if (value.find('\0') != std::string::npos) {
      throw refused{{made.where, "this text has a NUL byte in it", "text without it"}};
    }
    finish(std::make_shared<const node>(std::move(made)), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, node_kind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, node_kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  struct unfinished {
    node made;
    YAML::anchor_t anchor = YAML::NullAnchor;
    node_ptr key;  ///< of a mapping: the key whose value comes next
  };

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw refused{{place_of(mark), "YAML tags have no meaning here", "the value alone"}};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, node_kind what) {
    refuse_tag(mark, tag);
    if (stack_.size() >= static_cast<std::size_t>(limits::config_depth)) {
      throw refused{
          {place_of(mark), "nested too deeply", fmt::format("at most {} levels", limits::config_depth)}};
    }
    unfinished opened;
    opened.made.kind = what;
    opened.made.where = place_of(mark);
    opened.anchor = anchor;
    stack_.push_back(std::move(opened));
  }

  void close() {
    auto done = std::move(stack_.back());
    stack_.pop_back();
    finish(std::make_shared<const node>(std::move(done.made)), done.anchor);
  }

  void finish(const node_ptr& made, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = made;
    add(made, made->where);
  }

  /// An alias is checked for what it unfolds to, before anything walks it.
  void add(const node_ptr& child, place where) {
    total_ += child->kind == node_kind::scalar || child->kind == node_kind::null ? 1 : 0;
    if (stack_.empty()) {
      root_ = child;
      return;
    }
    auto& parent = stack_.back();
    if (parent.made.kind == node_kind::mapping && !parent.key) {
      if (child->kind != node_kind::scalar)
        throw refused{{where, "this key is not a plain text", "a text as the key"}};
      parent.key = child;
      return;
    }
    parent.made.weight += child->weight;
    parent.made.height = std::max(parent.made.height, child->height + 1);
    check_limits(parent.made, where);
    if (parent.made.kind == node_kind::list) {
      parent.made.items.push_back(child);
    } else {
      parent.made.entries.push_back({parent.key->text, parent.key->where, child});
      parent.key.reset();
    }
  }

  void check_limits(const node& parent, place where) const {
    if (parent.weight > limits::config_nodes || total_ > limits::config_nodes) {
      throw refused{
          {where, "the document has too many values", fmt::format("at most {}", limits::config_nodes)}};
    }
    if (parent.height + static_cast<int>(stack_.size()) - 1 > limits::config_depth) {
      throw refused{{where, "nested too deeply", fmt::format("at most {} levels", limits::config_depth)}};
    }
  }

  std::vector<unfinished> stack_;
  std::unordered_map<YAML::anchor_t, node_ptr> anchors_;
  node_ptr root_;
  std::size_t total_ = 0;
};

class view_buffer final : public std::streambuf {
 public:
  explicit view_buffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: a streambuf's get area is char*, yet only read
    setg(begin, begin, begin + text.size());
  }
};

tree_error too_large() {
  return {{}, "the file is too large", fmt::format("at most {} bytes", limits::config_file_bytes)};
}

}  // namespace

const node* node::find(std::string_view key) const {
  for (const auto& entry : entries) {
    if (entry.key == key) return entry.value.get();
  }
  return nullptr;
}

std::string_view kind_name(node_kind kind) {
  switch (kind) {
    case node_kind::null:
      return "nothing";
    case node_kind::scalar:
      return "a single value";
    case node_kind::list:
      return "a list";
    case node_kind::mapping:
      return "a mapping";
  }
  return "nothing";
}

std::expected<node_ptr, tree_error> parse_tree(std::string_view text) {
  if (text.size() > limits::config_file_bytes) return std::unexpected(too_large());
  view_buffer buffer(text);
  std::istream stream(&buffer);
  tree_builder builder;
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return node_ptr{};
    auto root = builder.take_root();
    tree_builder second;
    if (parser.HandleNextDocument(second)) {
      const auto extra = second.take_root();
      return std::unexpected(
          tree_error{extra ? extra->where : place{}, "a second document", "one document per file"});
    }
    return root && root->kind == node_kind::null ? node_ptr{} : root;
  } catch (const refused& refusal) {
    return std::unexpected(refusal.why);
  } catch (const YAML::Exception& broken) {
    return std::unexpected(tree_error{place_of(broken.mark), "not valid YAML: " + broken.msg, ""});
  } catch (const std::exception& broken) {
    return std::unexpected(tree_error{{}, std::string("not valid YAML: ") + broken.what(), ""});
  }
}

namespace {

struct found_node {
  place where;  ///< of the deepest node on the way
  bool exact = false;
};

/// One step into a list, "[3]" at the front of `rest`; null where it leads nowhere.
const node* step_into_list(const node& at, std::string_view& rest) {
  std::size_t index = 0;
  const auto end = rest.find(']');
  if (end == std::string_view::npos || at.kind != node_kind::list) return nullptr;
  std::from_chars(rest.data() + 1, rest.data() + end, index);
  rest.remove_prefix(end + 1);
  return index < at.items.size() ? at.items[index].get() : nullptr;
}

found_node walk(const node& root, std::string_view rest) {
  const node* at = &root;
  place where = root.where;
  while (!rest.empty()) {
    if (rest.front() == '.') rest.remove_prefix(1);
    const node* next = nullptr;
    if (rest.starts_with('[')) {
      next = step_into_list(*at, rest);
    } else {
      const auto end = std::min({rest.find('.'), rest.find('['), rest.size()});
      next = at->find(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    if (next == nullptr) return {where, false};
    at = next;
    where = at->where;
  }
  return {where, true};
}

}  // namespace

place locate(const node& root, std::string_view key_path) {
  return walk(root, key_path).where;
}

bool stands(const node& root, std::string_view key_path) {
  return walk(root, key_path).exact;
}

}  // namespace trunkline::config
