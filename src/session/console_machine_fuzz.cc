// What a client may send to the console, read by the machine that answers it.
#include <cstdlib>
#include <variant>

#include "base/limits.h"
#include "protocol/frame.h"
#include "session/console_machine.h"

namespace {

using namespace trunkline;

constexpr session::console_column columns[] = {{"a", session::console_type::text},
                                               {"b", session::console_type::numeric}};

/// As many statements as there are ';', rows for those that begin with 's'.
class fuzz_desk final : public session::console_desk {
 public:
  std::vector<result<session::console_statement>> read(std::string_view sql) const override {
    std::vector<result<session::console_statement>> all;
    for (std::size_t at = 0; at < sql.size() && all.size() < 8;) {
      const std::size_t end = std::min(sql.find(';', at), sql.size());
      session::console_statement one{.tag = "X"};
      if (sql[at] == 's') one.columns = columns;
      if (sql[at] == 'b') one.effect = session::console_effect::begin;
      if (sql[at] == 'c') one.effect = session::console_effect::commit;
      all.push_back(one);
      if (sql[at] == 'e') all.back() = fail({.message = "no"});
      at = end + 1;
    }
    return all;
  }
  result<session::console_rows> rows(const session::console_statement&) override { std::abort(); }
  runtime::work_pool& work() override { std::abort(); }
  std::string_view version() const override { return "0"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz_desk desk;
  session::console_machine machine(desk);
  protocol::byte_buffer out;
  byte_span rest{reinterpret_cast<const std::byte*>(data), size};
  while (!machine.over()) {
    const auto read = protocol::next_frame(rest, limits::console_message_bytes);
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) break;
    machine.take(whole->type, whole->body, out);
    while (const auto* wanted = machine.wanted()) {
      session::console_rows rows{.rows = {{"x", "12345678901"}, {std::nullopt, "0"}, {"", "1"}}};
      machine.give(session::write_rows(*wanted, std::move(rows)), out);
    }
    rest = rest.subspan(whole->size);
    if (out.size() > (1 << 20)) out.clear();
  }
  // What was answered is whole messages.
  for (byte_span left = out; !left.empty();) {
    const auto read = protocol::next_frame(left, 1 << 30);
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) std::abort();
    left = left.subspan(whole->size);
  }
  return 0;
}
