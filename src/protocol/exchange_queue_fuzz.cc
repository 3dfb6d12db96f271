// Any messages in any order, of clients and servers that keep no rule. The numbers stay in order, and as many
// ReadyForQuery as there were requests bring the queue to rest. Each byte of the input is one message: the
// lowest bit says whose, the rest which.
#include <cstdlib>
#include <string_view>

#include "protocol/exchange_queue.h"

namespace {

using namespace trunkline::protocol;

constexpr std::string_view client_types = "QFPBDECSHdcfX~";
constexpr std::string_view server_types = "123tTnDCsIGHWdcVZEeb!NSA?";

void require(bool holds) {
  if (!holds) std::abort();
}

void say(exchange_queue& queue, char type) {
  using facts = exchange_queue::error_facts;
  switch (type) {
    case 'Z':
      (void)queue.ready_for_query();
      break;
    case 'E':
      (void)queue.error_response({});
      break;
    case 'e':
      (void)queue.error_response(facts{.copy = copy_progress::in_data});
      break;
    case 'b':
      (void)queue.error_response(facts{.copy = copy_progress::before_data});
      break;
    case '!':
      (void)queue.error_response(facts{.fatal = true});
      break;
    default:
      (void)queue.server_message(type);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  exchange_queue queue;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t which = data[i] >> 1;
    if ((data[i] & 1) != 0) {
      const char type = client_types[which % client_types.size()];
      const std::uint64_t number = queue.client_message(type, which < 64 ? 4 : 9);
      require(number == 0 || number > last);
      if (number != 0) last = number;
    } else {
      say(queue, server_types[which % server_types.size()]);
    }
    require(queue.current() <= last && queue.pipelined() <= size);
    require(!queue.at_rest() || (queue.current() == 0 && !queue.skipping() && !queue.awaits_answer()));
  }
  for (std::size_t i = 0; i <= size && !(queue.at_rest() && queue.certain()); ++i)
    say(queue, 'Z');
  require(queue.at_rest() && queue.pipelined() == 0);
  return 0;
}
