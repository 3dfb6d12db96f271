// The input is a script of inner records, sealed with the right key, so that it gets behind the
// authentication: [inner type 1][length 1][content...] and, with type 0xff, raw bytes in place of a record.
// They arrive in pieces of a size that the first byte gives. Whatever comes: no more is consumed or produced
// than there is, a failure has words, and data arrives in order.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tls/record_layer.h"

namespace {

using namespace trunkline;
using namespace trunkline::tls;

std::unique_ptr<record_cipher> cipher(flow direction, int fill) {
  const std::vector<std::byte> secret(32, static_cast<std::byte>(fill));
  return record_cipher::of_secret(direction, aead::aes_128_gcm, prf_hash::sha256, secret, 0);
}

std::vector<std::byte> wire_of(byte_span script, std::vector<std::byte>& data) {
  const auto peer = cipher(flow::sealing, 1);
  std::vector<std::byte> wire;
  while (script.size() >= 2) {
    const auto type = static_cast<content>(script[0]);
    const std::size_t size = std::min(std::to_integer<std::size_t>(script[1]), script.size() - 2);
    const byte_span plain = script.subspan(2, size);
    script = script.subspan(2 + size);
    if (static_cast<int>(type) == 0xff) {
      wire.insert(wire.end(), plain.begin(), plain.end());
      continue;
    }
    std::vector<std::byte> record(plain.size() + peer->overhead());
    if (!peer->seal(type, plain, record.data())) std::abort();
    wire.insert(wire.end(), record.begin(), record.end());
    if (type == content::handshake && size == 5 && plain[0] == std::byte{24}) peer->update();
    // As the layer will see it: zeros are padding, and what stands before them is the type.
    std::vector<std::byte> inner(plain.begin(), plain.end());
    inner.push_back(static_cast<std::byte>(type));
    while (!inner.empty() && inner.back() == std::byte{0})
      inner.pop_back();
    if (!inner.empty() && inner.back() == std::byte{23})
      data.insert(data.end(), inner.begin(), inner.end() - 1);
  }
  return wire;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 2) return 0;
  const byte_span bytes(reinterpret_cast<const std::byte*>(input), size);
  std::vector<std::byte> data;
  const std::vector<std::byte> wire = wire_of(bytes.subspan(2), data);
  const std::size_t piece = 1 + input[0];
  std::vector<std::byte> space(1 + (input[1] & 0x7f));
  record_layer layer((input[1] & 0x80) != 0, cipher(flow::opening, 1), cipher(flow::sealing, 2));
  spill output;
  std::vector<std::byte> got;
  byte_span rest = wire;
  while (true) {
    const byte_span part = rest.first(std::min(piece, rest.size()));
    const step done = layer.decrypt(part, space, output);
    if (done.consumed > part.size() || done.produced > space.size()) std::abort();
    got.insert(got.end(), space.begin(), space.begin() + static_cast<std::ptrdiff_t>(done.produced));
    rest = rest.subspan(done.consumed);
    if (output != nullptr && output->size() > 8000) output.reset();
    if (done.what == status::failed && layer.failure().empty()) std::abort();
    if (done.what == status::failed || done.what == status::peer_closed) break;
    if (done.what != status::want_output_space && rest.empty()) break;
    if (done.what == status::want_output_space && done.consumed + done.produced == 0 && output == nullptr)
      std::abort();
  }
  if (got.size() > data.size() || !std::equal(got.begin(), got.end(), data.begin())) std::abort();
  return 0;
}
