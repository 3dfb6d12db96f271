// One connection to a server that clients share, one after the other (wire.md 6). While nobody has it, it
// listens: what a server says to an idle connection is seen before anybody uses it. Owner: whoever has it, a
// session or its shelf; one worker at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pool/connect.h"
#include "pool/member.h"
#include "pool/parameter_list.h"
#include "pool/prepared_set.h"
#include "pool/setting_map.h"
#include "runtime/loop.h"

namespace trunkline::pool {

class link_shelf;

/// In the place of a session's number.
inline constexpr std::uint64_t many_sessions = ~std::uint64_t{0};

/// Which of whose unnamed statements.
struct unnamed_mark {
  std::uint64_t session = 0;  ///< 0: nobody's
  std::uint64_t version = 0;  ///< 0: it has none
  bool operator==(const unnamed_mark&) const = default;
};

class link final : private runtime::stream_handler {
 public:
  link() = default;
  link(const link&) = delete;
  link& operator=(const link&) = delete;
  ~link() override = default;

  /// Nobody has it: it listens for that shelf, which closes it when the server has said or done something
  /// that ends it.
  void rest_at(link_shelf& shelf);

  std::uint64_t number = 0;  ///< of no other one, in this process
  std::unique_ptr<runtime::byte_stream> stream;
  pool::lease lease;
  server_place place;
  std::uint32_t server_pid = 0;
  std::vector<std::byte> server_key;
  std::string server_tls;  ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext

  /// As the login left them: what RESET goes back to.
  std::shared_ptr<const parameter_list> login_parameters;
  setting_map settings;   ///< what differs from that now
  prepared_set prepared;  ///< under the names of the statement book

  /// The session whose functions may have set what no list shows: the next one resets all; 0: none.
  std::uint64_t tainted_by = 0;
  std::uint64_t sequences_of = 0;  ///< who may have advanced one since that was forgotten; 0: nobody
  unnamed_mark unnamed;            ///< the one that the server has, or is about to have
  runtime::time_point born{};
  runtime::time_point used{};        ///< when it was given back last
  runtime::time_point retires_at{};  ///< it is not given out afterwards
  std::uint64_t sessions = 0;        ///< times that it was given out
  std::uint64_t generation = 0;      ///< the pool's, when it was made
  bool unfit = false;                ///< not to be used again: its server is none any more
  bool replaced = false;             ///< one that is to take its place has been opened

 private:
  void on_received(runtime::buffer data) override;
  void on_end(runtime::stream_end end) override;

  link_shelf* shelf_ = nullptr;
  std::vector<std::byte> unread_;  ///< of a message to nobody
};

/// The server's own facts: no client can set them, and every server has its own.
bool is_server_fact(std::string_view name);

/// A ParameterStatus: `in` are settings of the connection, or of the session that is on it.
void note_told(setting_map& in, const link& of, std::string_view name, std::string_view value);

}  // namespace trunkline::pool
