// A hostile API server: a list, then a watch, cut into pieces as the first byte says; and a kubeconfig.
// Whatever comes, there is a next question, within the longest wait, and every endpoint is one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "k8s/api_access.h"
#include "k8s/collection_watch.h"
#include "k8s/endpoint_slices.h"

using namespace trunkline;
using namespace trunkline::k8s;

namespace {

class slices final : public object_sink {
 public:
  void replace(std::vector<json> all) override {
    of_.clear();
    for (const json& each : all)
      put(each);
  }
  void put(const json& object) override {
    of_.put(object);
    for (const auto& each : of_.found().endpoints) {
      if (each.port == 0 || each.address.text().empty()) std::abort();
    }
    (void)of_.problem();
  }
  void remove(const json& object) override { of_.remove(object); }
  void confirmed(moment) override {}
  void failed(const std::string& why) override {
    if (why.empty()) std::abort();
  }

 private:
  endpoint_slices of_{config::kubernetes_discovery{.name_space = "n", .service = "s"}};
};

void answer(collection_watch& watch, std::string_view body, std::size_t piece, moment& now) {
  if (watch.ask(now, 0.5).target.empty()) std::abort();
  bool wanted = watch.take(200, {}, now);
  while (wanted && !body.empty()) {
    wanted = watch.take(200, body.substr(0, piece), now);
    body.remove_prefix(std::min(piece, body.size()));
  }
  const auto wait = watch.over({.status = 200, .failure = wanted ? "" : "x"}, now, 0.5);
  if (wait.count() < 0 || wait > limits::k8s_retry_after_most + limits::k8s_retry) std::abort();
  now += wait;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] == 0) {
    (void)read_kubeconfig(input, "/nowhere/config", "");
    return 0;
  }
  const auto middle = input.find('\0');  // a list, a NUL, what a watch says
  slices told;
  collection_watch watch({.path = "/p"}, told);
  moment now{};
  answer(watch, input.substr(0, middle), data[0], now);
  if (middle != std::string_view::npos) answer(watch, input.substr(middle + 1), data[0], now);
  answer(watch, {}, 1, now);
  return 0;
}
