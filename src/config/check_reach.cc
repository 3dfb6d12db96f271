// Routes that an earlier one hides, and listeners that no route serves.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <unordered_map>

#include "config/checks.h"
#include "config/glob.h"

namespace trunkline::config {

namespace {

/// Of comparisons of two patterns: with very many routes that are all patterns, some are not told of.
struct covering_budget {
  std::size_t left = 500'000;
};

template <class Pattern, class Covers>
bool list_covers(const std::vector<Pattern>& wide, const std::vector<Pattern>& narrow, Covers covers,
                 covering_budget& budget) {
  if (wide.empty()) return true;
  if (narrow.empty()) return false;
  return std::all_of(narrow.begin(), narrow.end(), [&](const Pattern& one) {
    return std::any_of(wide.begin(), wide.end(), [&](const Pattern& other) {
      if (budget.left == 0) return false;
      --budget.left;
      return covers(other, one);
    });
  });
}

/// Which earlier routes could cover a later one, as far as one of their lists tells at once.
class list_index {
 public:
  using places = std::vector<std::size_t>;

  void add(const std::vector<std::string>& list, std::size_t route) {
    const bool has_pattern = std::any_of(list.begin(), list.end(), [](const std::string& each) {
      return each.find_first_of("*?") != std::string::npos;
    });
    if (list.empty()) all_.push_back(route);
    if (list.empty() || has_pattern) loose_.push_back(route);
    if (has_pattern) return;
    for (const auto& each : list) {
      places& with = exact_[each];
      if (with.empty() || with.back() != route) with.push_back(route);
    }
  }

  /// In order each, and together all that could.
  std::array<std::span<const std::size_t>, 2> that_could_cover(const std::vector<std::string>& list) const {
    if (list.empty()) return {all_, {}};
    const auto found = exact_.find(list.front());
    return {loose_, found == exact_.end() ? std::span<const std::size_t>() : found->second};
  }

 private:
  places all_;    // of everything
  places loose_;  // of everything, or by patterns
  std::unordered_map<std::string_view, places> exact_;
};

class reach_check {
 public:
  explicit reach_check(const check_input& in) : in_(in) {
    for (const auto& each : in.value.routes) {
      std::vector<bool> from;
      for (const auto& one : in.value.listeners)
        from.push_back(may_come_from(each.match, one));
      listeners_.push_back(std::move(from));
    }
  }

  void run() {
    const auto& routes = in_.value.routes;
    for (std::size_t late = 0; late < routes.size(); ++late) {
      if (const auto early = that_hides(late)) tell(*early, late);
      server_names_.add(routes[late].match.server_names, late);
      databases_.add(routes[late].match.databases, late);
      users_.add(routes[late].match.users, late);
    }
  }

  bool serves(std::size_t listener) const {
    return std::any_of(listeners_.begin(), listeners_.end(),
                       [&](const auto& each) { return each[listener]; });
  }

 private:
  /// The first of those before it that takes everything which fits here.
  std::optional<std::size_t> that_hides(std::size_t late) {
    const route_match& match = in_.value.routes[late].match;
    auto few = server_names_.that_could_cover(match.server_names);
    for (const auto& other :
         {databases_.that_could_cover(match.databases), users_.that_could_cover(match.users)}) {
      if (other[0].size() + other[1].size() < few[0].size() + few[1].size()) few = other;
    }
    while (!few[0].empty() || !few[1].empty()) {
      auto& next = few[1].empty() || (!few[0].empty() && few[0].front() < few[1].front()) ? few[0] : few[1];
      const std::size_t early = next.front();
      next = next.subspan(1);
      if (covers(early, late)) return early;
    }
    return std::nullopt;
  }

  bool covers(std::size_t early, std::size_t late) {
    for (std::size_t i = 0; i < listeners_[late].size(); ++i)
      if (listeners_[late][i] && !listeners_[early][i]) return false;
    const auto text = [](const std::string& a, const std::string& b) { return glob_covers(a, b); };
    const auto range = [](const network_range& a, const network_range& b) { return a.contains(b); };
    const route_match& wide = in_.value.routes[early].match;
    const route_match& narrow = in_.value.routes[late].match;
    return list_covers(wide.server_names, narrow.server_names, text, budget_) &&
           list_covers(wide.databases, narrow.databases, text, budget_) &&
           list_covers(wide.users, narrow.users, text, budget_) &&
           list_covers(wide.sources, narrow.sources, range, budget_);
  }

  void tell(std::size_t early, std::size_t late) const {
    const route& first = in_.value.routes[early];
    const route& hidden = in_.value.routes[late];
    std::string by = fmt::format("routes[{}] ({})", early, first.name);
    // Where it stands in the merged list says nothing to who wrote an object, and names are their
    // namespace's.
    if (!hidden.name_space.empty())
      by = first.name_space.empty() || first.name_space == hidden.name_space ? "route " + first.name
                                                                             : "a route of another namespace";
    in_.warn(fmt::format("routes[{}]", late),
             fmt::format("never used: {} before it takes everything that fits here", by),
             "the narrower route first");
  }

  const check_input& in_;
  covering_budget budget_;
  std::vector<std::vector<bool>> listeners_;  // by route: from which ones its clients may come
  list_index server_names_;
  list_index databases_;
  list_index users_;
};

}  // namespace

void check_reach(const check_input& in) {
  reach_check check(in);
  check.run();
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    if (!check.serves(i))
      in.warn(fmt::format("listeners[{}]", i), "no route serves its clients", "a route whose match fits it");
  }
}

}  // namespace trunkline::config
