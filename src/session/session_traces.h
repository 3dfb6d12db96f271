// What a client's statements may have left in its session, and how that is found out: where a text alone does
// not tell, the server is asked when the transaction is over (wire.md 6). Decides what is carried to the next
// connection and why a session must stay on this one. Pure. Owner: a pooled session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pool/setting_map.h"
#include "session/side_errand.h"
#include "sql/effects.h"

namespace trunkline::session {

class session_traces {
 public:
  /// Whatever its effects: whether it may have called nextval(), as an INSERT does.
  void note_kind(const sql::effects& of);
  bool wrote() const { return wrote_; }
  void transaction_over() { wrote_ = false; }
  /// A statement with these effects is about to run. True: it may set something back to its default, which at
  /// the server need not be what it is for the session.
  bool note(const sql::effects& of, std::string_view text);
  /// Objects that cannot be carried: with `onUnsafe: refuse` such a statement is an error. Null: it is safe.
  static const char* unsafe_reason(const sql::effects& of);

  /// Of the transaction that is over. False: nothing to ask.
  bool must_inspect() const { return bits_ != 0 || !names_.empty(); }
  /// What the session has, as far as it is known.
  struct known_settings {
    pool::setting_map& session;
    pool::setting_map& link;
    const pool::setting_map& at_start;  ///< what RESET goes back to
    std::string_view role = "none";     ///< the same, of the role
  };
  /// One Query; its rows go to `take`. `user`: who the connection was logged in for.
  std::string inspection(std::string_view user, const known_settings& known) const;
  /// Session and link are then as the server says. `over`: so is the transaction; else it may be taken back,
  /// and all is asked again at its end.
  void take(const std::vector<side_errand::row>& rows, known_settings known, bool over);
  /// It could not be asked: on doubt the session stays where it is.
  void not_known();

  /// Why the session cannot leave its connection; null: it can.
  const char* pinned() const { return sticky_ != nullptr ? sticky_ : pinned_; }
  /// What functions may have set for the session beyond what can be asked for: the next session must begin
  /// with RESET ALL.
  bool tainted() const { return tainted_; }
  void connection_left() { tainted_ = false; }
  /// There is nothing that somebody else would have to know.
  bool empty() const {
    return bits_ == 0 && names_.empty() && !wrote_ && !to_default_ && !tainted_ && !beyond_reset_ &&
           pinned() == nullptr;
  }
  /// It has left what no reset takes back: nobody else can have the connection.
  bool is_beyond_reset() const { return beyond_reset_; }
  /// The connection has it from this session's last time there.
  void taint() { tainted_ = true; }

  /// The server has said RESET, SET or DISCARD ALL, and nobody has looked at the text: these settings may
  /// have been set back.
  void note_set_back(const pool::setting_map& at_start);

 private:
  void take_object(const side_errand::row& found);
  void take_setting(const side_errand::row& found, const known_settings& known) const;
  void restore(const known_settings& known) const;
  void forget();
  bool set_back() const { return to_default_ || has(sql::effect::reset_all); }
  bool has(sql::effect each) const { return (bits_ & static_cast<std::uint32_t>(each)) != 0; }

  std::uint32_t bits_ = 0;          // of sql::effect, of the transaction
  std::vector<std::string> names_;  // of settings that it may have changed
  bool wrote_ = false;              // in this transaction
  bool to_default_ = false;         // some of them back to their default
  bool tainted_ = false;
  bool beyond_reset_ = false;
  const char* pinned_ = nullptr;
  const char* sticky_ = nullptr;  // nothing takes it away
};

}  // namespace trunkline::session
