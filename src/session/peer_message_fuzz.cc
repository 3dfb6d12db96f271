// Any bytes: reading never goes past them, and nothing counts as signed that was not.
#include <cstdlib>
#include <vector>

#include "session/peer_message.h"

namespace {

using namespace trunkline;
using namespace trunkline::session;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<replica_keys> keys{derive_replica_keys("a"), derive_replica_keys("b")};
  const byte_span input{reinterpret_cast<const std::byte*>(data), size};
  if (const auto question = read_question(input)) {
    require(question->key.data() >= input.data());
    require(question->signatures.data() + question->signatures.size() == input.data() + input.size());
    require(signer_of(*question, 7, keys) == nullptr);
    const auto again = encode_question({}, 7, question->key, question->nonce);
    require(read_question(again).has_value());
  }
  if (size >= peer_answer_bytes) {
    const auto bytes = input.first(peer_answer_bytes);
    require(!read_answer(bytes, {}, keys));
    if (const auto answer = read_answer(bytes, {}, {}))
      require(answer->known == (bytes[0] == std::byte{'!'}));
  }
  return 0;
}
