// A hostile server against the client's role: the input is two messages divided by 0xff. A server that does
// not know the password may not be believed, whatever it says.
#include <cstdlib>
#include <string>

#include "auth/base64.h"
#include "auth/scram_client.h"

using namespace trunkline;
using namespace trunkline::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t middle = std::min(input.find('\xff'), input.size());
  // Half of the first messages begin with the client's own nonce, which a fuzzer could hardly find.
  std::string first(input.substr(0, middle));
  if (first.starts_with('R')) first = "r=" + base64_encode(nonce{}) + first.substr(1);
  const std::string_view second = input.substr(std::min(middle + 1, input.size()));

  scram_client client({.transport = {.tls = true}});
  const auto request = client.on_server_first(as_bytes(first));
  if (request && (request->iterations == 0 || request->salt.empty())) std::abort();
  const auto final = client.provide(client_keys{});
  if (final.has_value() != request.has_value()) std::abort();
  const auto proved = client.on_server_final(as_bytes(second));
  if (proved && !final) std::abort();
  if (proved.has_value() != client.server_proved()) std::abort();
  return 0;
}
