#include "storm/probe.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "storm/client.h"

namespace trunkline::storm {
namespace {

/// What a probe waits with; it has no client.
struct silent_witness final : stage_witness {
  void stage_took(stage, microseconds, runtime::duration, bool) override {}
};

/// It is not the path's fault, and will be the same every time: no rights, a read-only server, a feature that
/// is not there.
bool is_lack_of_rights(const problem& what) {
  constexpr std::array<std::string_view, 4> codes{"42501", "25006", "0A000", "0LP01"};
  return what.code && std::ranges::find(codes, what.code->view()) != codes.end();
}

/// A pooler may not know the parameter and refuse the login.
bool refuses_parameter(const problem& what) {
  return what.code && what.where <= stage::lease && what.code->view() != "28P01" &&
         what.message.find("statement_timeout") != what.message.npos;
}

void note_facts(path& of, session& one) {
  path_facts& facts = of.said->facts;
  facts.server_version = one_line(one.server_version());
  facts.address = one.line().place().address.text();
  facts.has_cancel_key = !one.cancel_key().empty();
  if (const auto* tls = one.line().tls(); tls != nullptr)
    facts.tls = std::string(tls->session().version()) + " " + std::string(tls->session().cipher());
}

runtime::task<outcome<>> look(path* of) {
  silent_witness nobody;
  runtime::signal changed(*of->where);
  session one(*of, changed, nobody);
  of->said->facts.takes_statement_timeout = true;
  auto opened = co_await session::open(&one);
  if (!opened && refuses_parameter(opened.error())) {
    of->said->facts.takes_statement_timeout = false;
    opened = co_await session::open(&one);
  }
  if (!opened) co_return opened;
  note_facts(*of, one);
  one.part();
  co_return outcome<>();
}

/// The others do nothing that needs a right, or take their time.
bool needs_rehearsal(workload which) {
  constexpr std::array these{workload::query, workload::prepared, workload::pipeline,
                             workload::copy,  workload::cancel,   workload::notify};
  return std::ranges::find(these, which) != these.end();
}

}  // namespace

runtime::task<outcome<>> probe(path* of, workload_mix* mix) {
  auto there = co_await look(of);
  if (!there) co_return there;
  if (mix->has(workload::cancel) && !of->said->facts.has_cancel_key) {
    mix->drop(workload::cancel);
    of->said->not_tested.push_back({"cancel", "the login brought no key to cancel with"});
  }
  for (std::size_t i = 0; i < workload_count; ++i) {
    const auto which = static_cast<workload>(i);
    if (!mix->has(which) || !needs_rehearsal(which)) continue;
    crowd_rules rules(of->how->login_rate);
    client one(*of, rules, limits::storm_clients, which);
    auto wrong = co_await client::rehearse(&one);
    if (!wrong || !is_lack_of_rights(*wrong)) continue;
    mix->drop(which);
    of->said->not_tested.push_back({std::string(name_of(which)), wrong->message});
  }
  if (mix->empty()) {
    co_return std::unexpected(problem{.what = fault::server_error,
                                      .where = stage::query,
                                      .code = {},
                                      .message = "none of the workloads can be tested with these rights"});
  }
  co_return outcome<>();
}

}  // namespace trunkline::storm
