#include "storm/workload.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace trunkline::storm {
namespace {

constexpr unsigned most_share = 1'000;

std::string known_names() {
  std::string names;
  for (const auto& each : workload_kinds)
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

}  // namespace

bool workload_mix::empty() const {
  return std::ranges::all_of(shares, [](unsigned share) { return share == 0; });
}

workload workload_mix::of_client(std::size_t number) const {
  const unsigned total = std::accumulate(shares.begin(), shares.end(), 0U);
  const unsigned round = *std::ranges::max_element(shares);
  // Round by round, each workload whose share reaches that far has a turn.
  auto turn = static_cast<unsigned>(number % total);
  for (unsigned level = 1; level <= round; ++level) {
    for (std::size_t kind = 0; kind < shares.size(); ++kind) {
      if (shares[kind] < level) continue;
      if (turn == 0) return static_cast<workload>(kind);
      --turn;
    }
  }
  return workload::query;  // not reached: the turns add up to the total
}

workload_mix workload_mix::usual() {
  workload_mix made;
  std::ranges::transform(workload_kinds, made.shares.begin(), &workload_kind::usual_share);
  return made;
}

workload_mix workload_mix::only(workload which) {
  workload_mix made;
  made.shares[static_cast<std::size_t>(which)] = 1;
  return made;
}

std::expected<workload_mix, std::string> parse_workloads(std::string_view list) {
  workload_mix made;
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(word.size() + 1, list.size()));
    const std::string_view name = word.substr(0, word.find('='));
    const auto kind = std::ranges::find(workload_kinds, name, &workload_kind::name);
    if (kind == workload_kinds.end())
      return std::unexpected("\"" + std::string(name) + "\" is none of " + known_names());
    unsigned share = 1;
    if (name.size() < word.size()) {
      word.remove_prefix(name.size() + 1);
      const auto read = std::from_chars(word.data(), word.data() + word.size(), share);
      if (read.ec != std::errc() || read.ptr != word.data() + word.size() || share > most_share)
        return std::unexpected("the share of \"" + std::string(name) + "\" is no number from 0 to 1000");
    }
    made.shares[static_cast<std::size_t>(kind - workload_kinds.begin())] = share;
  }
  if (made.empty()) return std::unexpected("no workload is named; there are " + known_names());
  return made;
}

}  // namespace trunkline::storm
