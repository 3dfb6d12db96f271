// A hostile client against the server's role: the input is the mechanism's selector and up to three messages
// divided by 0xff. Without the password no input may log in, and nothing may be accepted after an error.
#include <cstdlib>
#include <string>
#include <vector>

#include "auth/scram_server.h"

using namespace trunkline;
using namespace trunkline::auth;

namespace {

std::vector<byte_span> divide(byte_span input) {
  std::vector<byte_span> out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= input.size() && out.size() < 3; ++at) {
    if (at < input.size() && input[at] != std::byte{0xff}) continue;
    out.push_back(input.subspan(begin, at - begin));
    begin = at + 1;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t selector = data[0];
  scram_server server({.user = "alice",
                       .verifier = fake_verifier("alice", as_bytes("secret"), 1),
                       .binding = (selector & 1) != 0 ? end_point_binding(std::in_place, 32) : std::nullopt});
  const auto messages = divide({reinterpret_cast<const std::byte*>(data + 1), size - 1});
  bool failed = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const char* name = (selector & 2) != 0 ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
    const auto step = i == 0 ? server.start(name, messages[i]) : server.respond(messages[i]);
    if (step && (failed || step->finished)) std::abort();
    if (!step && step.error().code == sqlstates::internal_error) std::abort();
    failed = failed || !step;
  }
  if (server.recovered_keys()) std::abort();
  return 0;
}
