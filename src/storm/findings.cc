#include "storm/findings.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/limits.h"

namespace trunkline::storm {
namespace {

void keep_worst(std::vector<finding>& worst, finding one) {
  const auto at = std::ranges::find_if(worst, [&](const finding& each) { return one.took > each.took; });
  worst.insert(at, std::move(one));
  if (worst.size() > limits::storm_examples) worst.pop_back();
}

}  // namespace

void finding_book::add(finding what) {
  ++total_;
  const std::string code = what.what.code ? std::string(what.what.code->view()) : "";
  auto group = std::ranges::find_if(groups_, [&](const finding_group& each) {
    return each.what == what.what.what && each.where == what.what.where && each.code == code;
  });
  if (group == groups_.end()) {
    if (groups_.size() >= limits::storm_finding_groups) {
      ++beyond_;
      return;
    }
    groups_.push_back({.what = what.what.what,
                       .where = what.what.where,
                       .code = code,
                       .count = 0,
                       .by_workload = {},
                       .first = what.at,
                       .last = what.at,
                       .worst = {}});
    group = std::prev(groups_.end());
  }
  ++group->count;
  ++group->by_workload[static_cast<std::size_t>(what.during)];
  group->last = what.at;
  keep_worst(group->worst, std::move(what));
}

std::vector<finding_group> finding_book::groups() const {
  std::vector<finding_group> sorted = groups_;
  const auto rank = [](const finding_group& of) {
    return std::tuple(facts_of(of.what).answer, ~of.count, of.what, of.where);
  };
  std::ranges::stable_sort(sorted, {}, rank);
  return sorted;
}

}  // namespace trunkline::storm
