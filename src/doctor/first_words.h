// What somebody answers to the first bytes of a conversation, before any login.
#pragma once

#include <optional>
#include <vector>

#include "doctor/line.h"

namespace trunkline::doctor {

struct first_answer {
  std::optional<char> byte;      ///< the first one that came
  std::size_t behind = 0;        ///< bytes that came with it
  std::optional<failure> wrong;  ///< why none came
  microseconds connect{0};
  microseconds took{0};  ///< from the bytes to the answer, or to its absence
};

/// Connects, waits for `silence`, sends the bytes and takes what comes.
runtime::task<first_answer> ask_first(examination* of, std::vector<std::byte> bytes,
                                      runtime::duration silence = {});

/// "'S'", "0x15, a TLS alert", "closed (FIN)".
std::string text_of(const first_answer& what);

std::vector<std::byte> ssl_request_bytes();
std::vector<std::byte> gssenc_request_bytes();

}  // namespace trunkline::doctor
