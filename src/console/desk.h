// Answers the console's statements from what the gateway shows of itself. Owner: main, which ends it after
// the workers' threads have ended and before their loops go: an answer under way is handed to a loop. `read`:
// any thread; `rows`: its own thread, one statement at a time.
#pragma once

#include <string>
#include <string_view>

#include "console/tables.h"
#include "runtime/work_pool.h"
#include "session/commander.h"
#include "session/console_desk.h"
#include "session/observer.h"

namespace trunkline::console {

class desk final : public session::console_desk {
 public:
  /// `from` and `hand` outlive the desk. `version` such as "0.1.0".
  desk(session::observer& from, session::commander& hand, std::string version);

  std::vector<result<session::console_statement>> read(std::string_view sql) const override;
  result<session::console_rows> rows(const session::console_statement& statement) override;
  runtime::work_pool& work() override { return work_; }
  std::string_view version() const override { return version_; }

 private:
  result<std::string> act_on_sessions(const std::string& verb, const std::string& about);
  result<> act_on_process(const std::vector<std::string>& words);
  result<session::console_rows> act(const std::vector<std::string>& words);

  session::observer& from_;
  session::commander& hand_;
  const std::string version_;
  audit::statement_cache statements_;
  stats_window stats_;
  runtime::work_pool work_;  // last: its thread uses the others
};

}  // namespace trunkline::console
