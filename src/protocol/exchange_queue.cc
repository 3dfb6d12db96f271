#include "protocol/exchange_queue.h"

#include <cstddef>
#include <string_view>

#include "base/limits.h"

namespace trunkline::protocol {
namespace {

bool is_copy_end(request_kind kind) {
  return kind == request_kind::copy_done || kind == request_kind::copy_fail;
}

/// Ended by ReadyForQuery.
bool is_point(request_kind kind) {
  return kind == request_kind::query || kind == request_kind::function_call || kind == request_kind::sync;
}

/// Message types, known when compiled: one look at a bit.
class type_set {
 public:
  consteval explicit type_set(std::string_view types) {
    for (const char type : types)
      bits_[word(type)] |= bit(type);
  }
  constexpr bool has(char type) const { return (bits_[word(type)] & bit(type)) != 0; }

 private:
  static constexpr std::size_t word(char type) { return static_cast<unsigned char>(type) / 64; }
  static constexpr std::uint64_t bit(char type) {
    return std::uint64_t{1} << (static_cast<unsigned char>(type) % 64);
  }
  std::uint64_t bits_[4]{};
};

consteval type_set operator""_types(const char* types, std::size_t count) {
  return type_set{{types, count}};
}

}  // namespace

/// Without the other one's other one: there are never more than two.
exchange_queue::exchange_queue(const exchange_queue& other)
    : behind_(other.behind_),
      asked_(other.asked_),
      number_(other.number_),
      dropped_by_copy_(other.dropped_by_copy_),
      unanswered_(other.unanswered_),
      current_(other.current_),
      stage_(other.stage_),
      has_current_(other.has_current_),
      batch_open_(other.batch_open_),
      skipping_(other.skipping_),
      copy_ended_(other.copy_ended_),
      copy_end_queued_(other.copy_end_queued_) {}

std::uint64_t exchange_queue::client_message(char type, std::uint32_t length) {
  if (other_ != nullptr) [[unlikely]]
    other_->hear_client(type, length);
  return hear_client(type, length);
}

exchange_queue::verdict exchange_queue::server_message(char type) {
  const verdict mine = hear_server(type);
  return other_ == nullptr ? mine : judge(mine, other_->hear_server(type));
}

exchange_queue::verdict exchange_queue::error_response(error_facts what) {
  // The other one is heard first: this error may be what brings one into being.
  const bool two = other_ != nullptr;
  const verdict others = two ? other_->hear_error(what) : verdict::expected;
  const verdict mine = hear_error(what);
  return two ? judge(mine, others) : mine;
}

exchange_queue::verdict exchange_queue::ready_for_query() {
  const verdict mine = hear_ready();
  return other_ == nullptr ? mine : judge(mine, other_->hear_ready());
}

exchange_queue::verdict exchange_queue::judge(verdict mine, verdict others) {
  const bool other_was_right = mine == verdict::unexpected && others == verdict::expected;
  if (other_was_right) {
    const std::unique_ptr<exchange_queue> right = std::move(other_);
    *this = std::move(*right);
    other_.reset();
  } else if (others == verdict::unexpected || (at_rest() && other_->at_rest())) {
    other_.reset();
  }
  return other_was_right ? verdict::expected : mine;
}

std::uint64_t exchange_queue::hear_client(char type, std::uint32_t length) {
  switch (type) {
    case 'Q':
      return add_point(request_kind::query);
    case 'F':
      return add_point(request_kind::function_call);
    case 'S':
      return add_sync();
    case 'P':
      return add_extended(request_kind::parse);
    case 'B':
      return add_extended(request_kind::bind);
    case 'D':
      return add_extended(request_kind::describe);
    case 'E':
      return add_extended(request_kind::execute);
    case 'C':
      return add_extended(request_kind::close);
    case 'H':
      if (length == empty_message) return 0;
      return waits_for_copy_data() ? add_in_copy(request_kind::bad_flush)
                                   : add_extended(request_kind::bad_flush);
    case 'c':
      return copy_end(request_kind::copy_done);
    case 'f':
      return copy_end(request_kind::copy_fail);
    case 'd':
    case 'X':
      return 0;
    default:
      return add(request_kind::foreign);
  }
}

std::uint64_t exchange_queue::add(request_kind kind) {
  ++asked_;
  if (has_current_) {
    behind_.push_back(kind);
  } else {
    has_current_ = true;
    current_ = kind;
    number_ = asked_;
    stage_ = stage::fresh;
  }
  return asked_;
}

std::uint64_t exchange_queue::add_point(request_kind kind) {
  if (skipping_) return ++asked_;
  batch_open_ = false;
  return add(kind);
}

std::uint64_t exchange_queue::add_extended(request_kind kind) {
  if (skipping_) return ++asked_;
  batch_open_ = true;
  return add(kind);
}

std::uint64_t exchange_queue::add_sync() {
  if (waits_for_copy_data()) return add_in_copy(request_kind::sync);
  skipping_ = false;
  return add_point(request_kind::sync);
}

/// The COPY will drop it, unless it has failed meanwhile without having read a byte.
std::uint64_t exchange_queue::add_in_copy(request_kind kind) {
  if (dropped_by_copy_ < limits::syncs_in_copy) {
    behind_.push_back(kind);
    ++dropped_by_copy_;
  } else {
    ++unanswered_;  // by now a COPY that failed would have said so
  }
  return ++asked_;
}

/// Outside a COPY these mean nothing, but one may be sent before its CopyInResponse has come.
std::uint64_t exchange_queue::copy_end(request_kind kind) {
  if (waits_for_copy_data()) {
    copy_ended_ = true;
  } else if (has_current_ && stage_ != stage::copy_both) {
    behind_.push_back(kind);
  }
  return 0;
}

void exchange_queue::owe(std::uint32_t answers) {
  for (; answers != 0; --answers)
    add(request_kind::sync);
}

exchange_queue::verdict exchange_queue::hear_server(char type) {
  const bool allowed = expects(type);
  switch (type) {
    case '1':
    case '2':
    case '3':
    case 'n':
    case 's':
      if (allowed) next();
      break;
    case 'I':
    case 'C':
      if (allowed) statement_complete();
      break;
    case 'T':
      if (allowed && current_ == request_kind::describe) {
        next();
        break;
      }
      go_to(stage::rows, allowed);
      break;
    case 't':
      go_to(stage::described, allowed);
      break;
    case 'V':
      go_to(stage::answered, allowed);
      break;
    case 'G':
      if (allowed) begin_copy_in();
      break;
    case 'H':
      go_to(stage::copy_out, allowed);
      break;
    case 'W':
      go_to(stage::copy_both, allowed);
      break;
    case 'c':
      go_to(stage::between, allowed);
      break;
    default:
      break;
  }
  return allowed ? verdict::expected : verdict::unexpected;
}

void exchange_queue::go_to(stage next_stage, bool allowed) {
  if (allowed) stage_ = next_stage;
}

/// CommandComplete or EmptyQueryResponse.
void exchange_queue::statement_complete() {
  if (stage_ == stage::copy_in) end_copy(true);
  if (current_ == request_kind::query) {
    stage_ = stage::between;
  } else {
    next();
  }
}

/// Sync and Flush between the statement and its CopyDone are the COPY's, for as long as it reads.
void exchange_queue::begin_copy_in() {
  stage_ = stage::copy_in;
  copy_ended_ = copy_end_queued_ = false;
  dropped_by_copy_ = 0;
  for (; dropped_by_copy_ < behind_.size(); ++dropped_by_copy_) {
    const request_kind kind = behind_.at(dropped_by_copy_);
    copy_ended_ = copy_end_queued_ = is_copy_end(kind);
    if (kind != request_kind::sync && kind != request_kind::bad_flush) break;
  }
  look_for_open_batch();
}

void exchange_queue::end_copy(bool data_were_read) {
  if (data_were_read) {
    unanswered_ += dropped_by_copy_;
    for (; dropped_by_copy_ != 0; --dropped_by_copy_)
      behind_.pop_front();
    if (copy_end_queued_) behind_.pop_front();
  }
  dropped_by_copy_ = 0;
  copy_end_queued_ = false;
  look_for_open_batch();
}

/// After Syncs came or went behind the current request: is the batch at the end of what was sent still open?
void exchange_queue::look_for_open_batch() {
  batch_open_ = !is_point(current_);
  for (std::size_t i = dropped_by_copy_; i < behind_.size(); ++i) {
    const request_kind kind = behind_.at(i);
    if (!is_copy_end(kind)) batch_open_ = !is_point(kind);
  }
}

exchange_queue::verdict exchange_queue::hear_error(error_facts what) {
  if (what.fatal) return verdict::expected;
  if (!has_current_) {
    if (!batch_open_) return verdict::unexpected;
    skipping_ = true;  // statement_timeout reaches into an open batch that was answered as far as it went
    return verdict::expected;
  }
  const bool allowed = expects('E');
  if (stage_ == stage::copy_in) {
    if (what.copy == copy_progress::unknown && copy_ended_) {
      // A trigger before the data, or, more usual, a trigger or a constraint behind them.
      if (dropped_by_copy_ != 0 && other_ == nullptr) {
        other_ = std::unique_ptr<exchange_queue>(new exchange_queue(*this));
        (void)other_->hear_error({.copy = copy_progress::before_data});
      }
      what.copy = copy_progress::in_data;
    }
    end_copy(what.copy == copy_progress::in_data);
  }
  if (is_point(current_)) {
    stage_ = stage::failed;
  } else if (current_ != request_kind::foreign) {
    skip_to_sync();
  }
  return allowed ? verdict::expected : verdict::unexpected;
}

exchange_queue::verdict exchange_queue::hear_ready() {
  const bool allowed = expects('Z');
  if (has_current_ && stage_ == stage::copy_in) end_copy(true);
  while (has_current_ && !is_point(current_))
    next();
  if (has_current_) {
    next();
  } else {
    batch_open_ = skipping_ = false;
  }
  return allowed ? verdict::expected : verdict::unexpected;
}

/// The current request is answered.
void exchange_queue::next() {
  number_ += 1 + unanswered_;
  unanswered_ = 0;
  stage_ = stage::fresh;
  while (!behind_.empty() && is_copy_end(behind_.front()))
    behind_.pop_front();
  has_current_ = !behind_.empty();
  if (!has_current_) return;
  current_ = behind_.front();
  behind_.pop_front();
}

void exchange_queue::skip_to_sync() {
  do {
    next();
  } while (has_current_ && current_ != request_kind::sync && current_ != request_kind::foreign);
  if (has_current_) return;
  skipping_ = true;
  batch_open_ = true;
}

bool exchange_queue::expects(char type) const {
  if ("NSA"_types.has(type)) return true;
  if (!has_current_) return type == 'E' && batch_open_ && !skipping_;
  switch (current_) {
    case request_kind::query:
      return expects_of_query(type);
    case request_kind::execute:
      return expects_of_execute(type);
    case request_kind::function_call:
      if (stage_ == stage::answered) return "ZE"_types.has(type);  // its transaction may still fail to commit
      return stage_ == stage::fresh ? "VE"_types.has(type) : type == 'Z';
    case request_kind::sync:
      return stage_ == stage::fresh ? "ZE"_types.has(type) : "Z"_types.has(type);
    case request_kind::parse:
      return "1E"_types.has(type);
    case request_kind::bind:
      return "2E"_types.has(type);
    case request_kind::close:
      return "3E"_types.has(type);
    case request_kind::describe:
      return stage_ == stage::fresh ? "tTnE"_types.has(type) : "TnE"_types.has(type);
    case request_kind::bad_flush:
      return type == 'E';
    default:
      return false;
  }
}

bool exchange_queue::expects_of_query(char type) const {
  switch (stage_) {
    case stage::fresh:
      return "TCIGHWE"_types.has(type);
    case stage::rows:
      return "DCE"_types.has(type);
    case stage::between:
      return "TCGHWEZ"_types.has(type);
    case stage::copy_in:
      return type == 'E' || (copy_ended_ && type == 'C');
    case stage::copy_out:
    case stage::copy_both:
      return "dcE"_types.has(type);
    default:
      return type == 'Z';
  }
}

bool exchange_queue::expects_of_execute(char type) const {
  switch (stage_) {
    case stage::fresh:
      return "DCsIGHWE"_types.has(type);
    case stage::copy_in:
      return type == 'E' || (copy_ended_ && type == 'C');
    case stage::copy_out:
    case stage::copy_both:
      return "dcE"_types.has(type);
    default:
      return "CE"_types.has(type);
  }
}

}  // namespace trunkline::protocol
