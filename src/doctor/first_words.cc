#include "doctor/first_words.h"

#include <fmt/format.h>

#include <utility>

#include "protocol/startup_message.h"

namespace trunkline::doctor {

runtime::task<first_answer> ask_first(examination* of, std::vector<std::byte> bytes,
                                      runtime::duration silence) {
  first_answer made;
  line wire(*of);
  auto began = std::chrono::steady_clock::now();
  auto connected = co_await line::connect(&wire);
  made.connect = since(began);
  if (!connected) {
    made.wrong = std::move(connected.error());
    co_return made;
  }
  if (silence.count() > 0) co_await pause(of, silence);
  began = std::chrono::steady_clock::now();
  wire.write(bytes);
  auto came = co_await line::await_bytes(&wire, 1, "an answer");
  made.took = since(began);
  const auto unread = wire.channel().unread();
  if (!unread.empty()) {
    made.byte = static_cast<char>(unread.front());
    made.behind = unread.size() - 1;
  }
  if (!came) made.wrong = std::move(came.error());
  co_return made;
}

std::string text_of(const first_answer& what) {
  if (!what.byte) return what.wrong ? what.wrong->text : "nothing";
  const auto code = static_cast<unsigned char>(*what.byte);
  if (code == 0x15) return "0x15, a TLS alert";
  if (code > ' ' && code < 0x7f) return fmt::format("'{}'", *what.byte);
  return fmt::format("0x{:02x}", code);
}

std::vector<std::byte> ssl_request_bytes() {
  std::vector<std::byte> made;
  protocol::append_ssl_request(made);
  return made;
}

std::vector<std::byte> gssenc_request_bytes() {
  std::vector<std::byte> made;
  protocol::append_gssenc_request(made);
  return made;
}

}  // namespace trunkline::doctor
