#include "audit/index_writer.h"

#include <algorithm>
#include <utility>

#include "audit/index_store.h"
#include "audit/json_text.h"
#include "base/limits.h"

namespace trunkline::audit {

namespace {

/// So many blocks go into the index in one transaction.
constexpr std::size_t blocks_per_flush = 4;
/// While the index cannot be written, so many wait; what is dropped readers find in the lines.
constexpr std::size_t blocks_waiting = 256;
constexpr std::size_t statements_waiting = 1'024;

}  // namespace

index_writer::index_writer(std::string folder) : folder_(std::move(folder)) {
  open();
}

index_writer::~index_writer() {
  end_block();
}

void index_writer::open() {
  auto opened = index_store::open(folder_, index_store::use::write);
  if (opened) {
    store_ = std::move(*opened);
    problem_.clear();
  } else {
    store_.reset();
    problem_ = opened.error().message;
  }
}

void index_writer::begin_segment(std::string_view file_name) {
  end_block();
  segment_ = file_name;
}

void index_writer::line(std::uint64_t offset, std::size_t size, const line_facts& facts) {
  collector_.add(offset, size, facts);
  statement(facts.fingerprint, facts.normalised);
  if (collector_.lines() < limits::audit_block_lines) return;
  take_block();
  if (blocks_.size() >= blocks_per_flush) flush();
}

void index_writer::more(std::string_view fingerprint, std::string_view sqlstate,
                        std::string_view normalised) {
  // The line that filled its block has left with it: the next block does not cover it, so this one must be
  // told.
  if (collector_.lines() == 0 && !blocks_.empty()) {
    blocks_.back().facts.anything = true;
  } else {
    collector_.more(fingerprint, sqlstate);
  }
  statement(fingerprint, normalised);
}

/// A statement's text is stored when it is first seen; after a restart once more, which changes nothing.
void index_writer::statement(std::string_view fingerprint, std::string_view normalised) {
  if (fingerprint.empty() || normalised.empty() || fingerprint == last_fingerprint_) return;
  last_fingerprint_.assign(fingerprint);
  if (known_statements_.size() >= limits::audit_index_statements || statements_.size() >= statements_waiting)
    return;
  if (!known_statements_.insert(text_hash(fingerprint)).second) return;
  statements_.push_back(
      {std::string(fingerprint), std::string(utf8_prefix(normalised, limits::audit_index_text_bytes))});
}

void index_writer::take_block() {
  if (collector_.lines() == 0) return;
  block_facts facts = collector_.take();
  if (segment_.empty()) return;
  if (blocks_.size() == blocks_waiting) blocks_.erase(blocks_.begin());
  blocks_.push_back({segment_, std::move(facts)});
}

void index_writer::end_block() {
  take_block();
  flush();
}

void index_writer::flush() {
  if (blocks_.empty() && statements_.empty()) return;
  if (store_ == nullptr) open();
  if (store_ == nullptr) return;
  const auto write = [&]() -> result<> {
    if (auto done = store_->begin(); !done) return done;
    for (const pending_block& each : blocks_)
      if (auto done = store_->put(each.segment, each.facts); !done) return done;
    for (const pending_statement& each : statements_)
      if (auto done = store_->put_statement(each.fingerprint, each.normalised); !done) return done;
    return store_->commit();
  };
  if (const auto done = write(); !done) {
    problem_ = done.error().message;
    store_->roll_back();
    // Opened anew with the next blocks: what is damaged is moved aside then.
    if (store_->damaged()) store_.reset();
    return;
  }
  problem_.clear();
  blocks_.clear();
  statements_.clear();
}

std::string index_writer::problem() const {
  return problem_;
}

}  // namespace trunkline::audit
