// A hostile token, set of keys and OAUTHBEARER message. The first byte chooses: without a key of ours no
// input may be believed, whatever it says, and nothing that is read may be outside of it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/access_review.h"
#include "auth/oauthbearer.h"
#include "auth/token.h"
#include "auth/token_review.h"

using namespace trunkline;
using namespace trunkline::auth;

namespace {

// RFC 7515 appendix A.2, whose private part is not used here.
constexpr std::string_view keys =
    R"({"keys":[{"kty":"RSA","kid":"1","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx)"
    R"(HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGz)"
    R"(jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3)"
    R"(qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp)"
    R"(oQ","e":"AQAB"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const key_set own = *key_set::parse(keys);
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const token_rules rules{.issuer = "i", .audiences = {"a"}, .groups_claim = "g.h"};
  switch (data[0] % 5) {
    case 0: {
      const auto verdict = check_token(input, rules, &own, wall_time(std::chrono::seconds(1'000)));
      if (std::holds_alternative<identity>(verdict)) std::abort();
      if (std::get<token_refusal>(verdict).reason.empty()) std::abort();
      (void)claimed_end(input);
      break;
    }
    case 1: {
      const auto made = key_set::parse(input);
      if (made && made->size() == 0) std::abort();
      break;
    }
    case 2: {
      const auto token = parse_oauthbearer(as_bytes(input));
      if (token && !token->empty() && (token->data() < input.data() || token->size() > input.size()))
        std::abort();
      break;
    }
    case 3: {
      const auto verdict = read_token_review(input, {"a"});
      if (verdict && std::holds_alternative<identity>(*verdict)) {
        const auto& who = std::get<identity>(*verdict);
        if (!who.principal.starts_with("system:serviceaccount:")) std::abort();
        (void)access_review_body(who, "connect", {"n", input});
      }
      break;
    }
    default: {
      const auto verdict = read_access_review(input);
      if (verdict && verdict->allowed && input.find("true") == std::string_view::npos) std::abort();
    }
  }
  return 0;
}
