#include "sql/effects.h"

#include "base/limits.h"
#include "sql/effects_walk.h"
#include "sql/parse_tree.h"
#include "sql/text_survey.h"

namespace trunkline::sql {

effects unknown_effects() {
  effects made;
  made.add(effect::inspect);
  made.kind = statement_kind::other;
  made.depends_on_text = true;
  made.guard = bit(guard_fact::doubt);
  return made;
}

effects find_effects(std::string_view text, lexical_rules rules) {
  if (text.size() > limits::sql_text_bytes) return unknown_effects();
  const text_survey known = survey(text, rules);
  if (known.doubtful || known.depth > limits::sql_depth) return unknown_effects();
  parse_tree tree;
  if (!tree.parse(std::string(text))) return unknown_effects();
  effects made = effects_of_tree(tree);
  made.guard |= guard_facts_of_tree(tree);
  return made;
}

}  // namespace trunkline::sql
