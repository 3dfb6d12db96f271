// A statement that carries a sampled traceparent, as a span (OpenTelemetry semantic conventions, "Database
// client spans"). Pure.
#pragma once

#include <chrono>
#include <string_view>

#include "audit/event_json.h"
#include "audit/otlp_exporter.h"
#include "audit/trace_context.h"

namespace trunkline::audit {

/// `offset`: from the steady to the system's clock. `with_text`: the normalised text may be told.
span_record make_span(const trace_parent& parent, const statement_step& step,
                      const telemetry::exchange_facts& facts, const session_labels& who,
                      std::chrono::nanoseconds offset, bool with_text);

}  // namespace trunkline::audit
