#include "audit/statement_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "audit/grammar.h"
#include "audit/json_text.h"
#include "audit/redact.h"
#include "audit/sql_comment.h"
#include "audit/sql_skeleton.h"
#include "base/limits.h"
#include "runtime/random.h"

namespace trunkline::audit {

namespace {

/// Of a node of the maps and what hangs on it, about.
constexpr std::size_t node_bytes = 128;

std::uint64_t random_seed() {
  const auto bytes = runtime::random_bytes<sizeof(std::uint64_t)>();
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

bool may_ask_grammar(const sql_part& part) {
  return part.text.size() <= limits::audit_grammar_bytes && part.depth <= limits::audit_grammar_depth;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\f\v";
  const std::size_t front = text.find_first_not_of(blank);
  if (front == std::string_view::npos) return {};
  return text.substr(front, text.find_last_not_of(blank) + 1 - front);
}

}  // namespace

statement_cache::statement_cache(std::size_t bytes, bool keep_text)
    : budget_(bytes), keep_text_(keep_text), seed_(random_seed()) {}

std::size_t statement_cache::cost_of(const known_text& entry) {
  std::size_t cost = node_bytes + entry.sql.size();
  for (const statement_facts& each : *entry.list)
    cost += sizeof each + each.text.size() + each.normalised.size() + each.json.size() +
            each.traceparent.size() + 32;
  return cost;
}

std::size_t statement_cache::cost_of(const known_shape& shape) {
  return node_bytes + sizeof shape + shape.skeleton.size() + shape.normalised.size();
}

void statement_cache::make_room(std::size_t cost) {
  if (young_bytes_ + cost <= budget_ / 2) return;
  std::swap(texts_[0], texts_[1]);
  std::swap(shapes_[0], shapes_[1]);
  texts_[0].clear();
  shapes_[0].clear();
  old_bytes_ = std::exchange(young_bytes_, 0);
}

statement_list statement_cache::remember(std::uint64_t key, known_text entry) {
  statement_list list = entry.list;
  const std::size_t cost = cost_of(entry);
  if (cost > budget_ / 8) return list;
  make_room(cost);
  const auto [place, added] = texts_[0].try_emplace(key);
  if (!added) young_bytes_ -= cost_of(place->second);
  place->second = std::move(entry);
  young_bytes_ += cost;
  return list;
}

statement_list statement_cache::look(std::string_view sql, bool cut) {
  const std::uint64_t key = text_hash(sql, seed_) ^ (cut ? 1 : 0);
  const auto same = [&](const known_text& entry) { return entry.cut == cut && entry.sql == sql; };
  if (const auto found = texts_[0].find(key); found != texts_[0].end() && same(found->second))
    return found->second.list;
  if (const auto found = texts_[1].find(key); found != texts_[1].end() && same(found->second)) {
    known_text entry = std::move(found->second);
    old_bytes_ -= std::min(old_bytes_, cost_of(entry));
    texts_[1].erase(found);
    return remember(key, std::move(entry));
  }
  statement_list list = work_out(sql, cut);
  return remember(key, {std::string(sql), cut, std::move(list)});
}

const statement_cache::known_shape* statement_cache::find_shape(std::uint64_t key,
                                                                std::string_view skeleton) {
  if (const auto found = shapes_[0].find(key); found != shapes_[0].end())
    return found->second.skeleton == skeleton ? &found->second : nullptr;
  const auto found = shapes_[1].find(key);
  if (found == shapes_[1].end() || found->second.skeleton != skeleton) return nullptr;
  known_shape shape = std::move(found->second);
  old_bytes_ -= std::min(old_bytes_, cost_of(shape));
  shapes_[1].erase(found);
  keep_shape(key, std::move(shape));
  const auto moved = shapes_[0].find(key);
  return moved == shapes_[0].end() ? nullptr : &moved->second;
}

void statement_cache::keep_shape(std::uint64_t key, known_shape shape) {
  const std::size_t cost = cost_of(shape);
  if (cost > budget_ / 8) return;
  make_room(cost);
  const auto [place, added] = shapes_[0].try_emplace(key);
  if (!added) young_bytes_ -= cost_of(place->second);
  place->second = std::move(shape);
  young_bytes_ += cost;
}

/// Fingerprint and normalised text of one sound statement, from its skeleton where that is known.
void statement_cache::describe(statement_facts& facts, std::string_view skeleton) {
  const std::uint64_t key = text_hash(skeleton, seed_);
  if (!skeleton.empty()) {
    if (const known_shape* known = find_shape(key, skeleton)) {
      facts.fingerprint = known->fingerprint;
      facts.normalised = known->normalised;
      return;
    }
  }
  ++grammar_calls_;
  grammar_answer answer = ask_grammar(without_comments(facts.text));
  facts.fingerprint = std::move(answer.fingerprint);
  facts.normalised = std::move(answer.normalised);
  // What was refused may be refused for a literal.
  if (!skeleton.empty() && !facts.fingerprint.empty())
    keep_shape(key, {std::string(skeleton), facts.normalised, facts.fingerprint});
}

void statement_cache::finish(statement_facts& facts) const {
  facts.traceparent = find_traceparent(facts.text);
  facts.json.clear();
  if (keep_text_) {
    facts.json += "\"text\":";
    append_json_text(facts.json, facts.text);
    facts.json += ',';
  }
  facts.json += "\"fingerprint\":\"";
  facts.json += facts.fingerprint;
  facts.json += '"';
  if (!keep_text_) facts.text.clear();
}

statement_list statement_cache::work_out(std::string_view sql, bool cut) {
  const std::string text = redact_secrets(sql);
  std::vector<statement_facts> list;
  const std::vector<sql_part> parts = split_statements(text, limits::audit_statements);
  const bool skeletons = std::ranges::all_of(parts, &sql_part::by_skeleton);
  const bool allowed =
      !cut && std::ranges::all_of(parts, may_ask_grammar) && text.size() <= limits::audit_grammar_bytes;
  std::vector<std::string_view> pieces;
  if (parts.size() > 1 && !skeletons && allowed) {
    ++grammar_calls_;
    pieces = split_by_grammar(text, limits::audit_statements);
  }
  if (pieces.empty()) {
    for (const sql_part& each : parts)
      pieces.push_back(each.text);
  }
  if (pieces.size() <= 1) pieces.assign(1, trimmed(text));
  for (const std::string_view piece : pieces) {
    statement_facts& facts = list.emplace_back();
    facts.text = trimmed(piece);
    if (allowed && !parts.empty()) {
      skeleton_.clear();
      if (skeletons) skeleton_of(facts.text, skeleton_);
      describe(facts, skeleton_);
    }
    finish(facts);
  }
  return std::make_shared<const std::vector<statement_facts>>(std::move(list));
}

}  // namespace trunkline::audit
