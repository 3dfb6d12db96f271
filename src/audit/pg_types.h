// The types of PostgreSQL whose values the audit can read (pg_type.dat; their OIDs never change). Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::audit {

/// How a type's binary form is read; several types share one.
enum class binary_form : std::uint8_t {
  unknown,
  boolean,
  integer,
  unsigned_integer,
  real,
  numeric,
  text,
  bytes,
  uuid,
  date,
  time,
  time_with_zone,
  timestamp,
  timestamp_with_zone,
  interval,
  jsonb,
  network,
  mac
};

struct pg_type {
  std::string_view name;
  binary_form form = binary_form::unknown;
  bool array = false;  ///< `form` is that of its elements
};

/// Of an OID; the name is empty where the type is not known.
pg_type find_pg_type(std::uint32_t oid);

}  // namespace trunkline::audit
