// What a process tells the one that takes over from it, in the environment variable TRUNKLINE_HANDOVER: the
// descriptors that it inherits and what each is for. Pure.
//
//     1 link=5 listener=3,main,127.0.0.1:5432 admin=4,,unix:/run/trunkline/admin
//
// The number in front is the version. Bytes beyond letters, digits and `._:/[]-` are written as %XX. `link`
// is a socket of pairs of messages between the two (successor.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace trunkline::main {

inline constexpr const char* handover_variable = "TRUNKLINE_HANDOVER";

enum class socket_use : std::uint8_t { listener, admin };

struct handed_socket {
  socket_use use = socket_use::listener;
  std::string name;     ///< of a listener
  std::string address;  ///< as the configuration has it
  int fd = -1;

  bool operator==(const handed_socket&) const = default;
};

struct handover_note {
  int link = -1;
  std::vector<handed_socket> sockets;

  bool operator==(const handover_note&) const = default;
};

std::string encode_handover(const handover_note& note);
result<handover_note> decode_handover(std::string_view text);

/// Which of `sockets` serves the configured address; `sockets.size()`: none does. The same name is preferred,
/// and needed where the kernel chose the port.
std::size_t find_handed(const std::vector<handed_socket>& sockets, socket_use use, std::string_view name,
                        std::string_view address);

}  // namespace trunkline::main
