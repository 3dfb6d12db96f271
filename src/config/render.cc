// The effective configuration as YAML, written by hand so that keys keep the order of the schema.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/url_origin.h"
#include "config/checks.h"
#include "config/enum_names.h"
#include "config/load.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

constexpr std::string_view secret_shown = "<redacted>";

/// Double-quoted wherever a plain scalar could be taken for something else.
std::string scalar(std::string_view text) {
  const bool plain =
      !text.empty() && text != "null" && text != "~" && text != "true" && text != "false" &&
      std::all_of(text.begin(), text.end(),
                  [](char c) {
                    return c == '_' || c == '.' || c == '/' || c == '-' || (c >= '0' && c <= '9') ||
                           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                  }) &&
      text.front() != '-' && text.front() != '.' && !(text.front() >= '0' && text.front() <= '9');
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (code < 0x20 || code == 0x7f) {
      quoted += fmt::format("\\x{:02x}", code);
    } else if (c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      quoted += "$$";
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

class writer {
 public:
  explicit writer(const settings& of) {
    for (const auto& each : of.secret_files)
      secrets_.emplace(each.path, &each.of);
  }

  std::string take() { return std::move(text_); }

  void line(std::string_view key, std::string_view value) {
    start(key);
    text_ += fmt::format(" {}\n", value);
  }
  void number(std::string_view key, std::size_t value) { line(key, std::to_string(value)); }
  void flag(std::string_view key, bool value) { line(key, value ? "true" : "false"); }
  void time(std::string_view key, milliseconds value) { line(key, format_duration(value)); }
  void text(std::string_view key, std::string_view value) { line(key, scalar(value)); }
  void text_if(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }

  /// As STEM + "File", or as STEM + "Secret" where it is one.
  void file_if(std::string_view stem, const std::string& path) {
    const auto secret = secrets_.find(path);
    if (secret == secrets_.end()) return text_if(std::string(stem) + "File", path);
    reference(std::string(stem) + "Secret", *secret->second, true);
  }
  void certificate_if(const std::string& certificate, const std::string& key) {
    const auto secret = secrets_.find(certificate);
    if (secret != secrets_.end()) return reference("certSecret", *secret->second, false);
    text_if("certFile", certificate);
    text_if("keyFile", key);
  }

  template <class List, class Show>
  void list_if(std::string_view key, const List& list, Show show) {
    if (list.empty()) return;
    std::string joined;
    for (const auto& entry : list)
      joined += (joined.empty() ? "" : ", ") + scalar(show(entry));
    line(key, fmt::format("[{}]", joined));
  }
  void texts_if(std::string_view key, const std::vector<std::string>& list) {
    list_if(key, list, [](const std::string& one) { return one; });
  }
  void ranges_if(std::string_view key, const std::vector<network_range>& list) {
    list_if(key, list, [](const network_range& one) { return one.text(); });
  }

  template <class Body>
  void mapping(std::string_view key, Body body) {
    start(key);
    text_ += '\n';
    depth_ += 1;
    body();
    depth_ -= 1;
  }

  template <class List, class Body>
  void mappings(std::string_view key, const List& list, Body body) {
    if (list.empty()) return;
    start(key);
    text_ += '\n';
    for (const auto& entry : list) {
      depth_ += 2;
      item_ = true;
      body(entry);
      depth_ -= 2;
    }
  }

 private:
  void reference(std::string_view key, const secret_reference& to, bool with_key) {
    mapping(key, [&] {
      text("namespace", to.name_space);
      text("name", to.name);
      if (with_key) text("key", to.key);
    });
  }

  void start(std::string_view key) {
    text_ += std::string(static_cast<std::size_t>(depth_ - (item_ ? 1 : 0)) * 2, ' ');
    if (item_) text_ += "- ";
    item_ = false;
    text_ += key;
    text_ += ':';
  }

  std::unordered_map<std::string_view, const secret_reference*> secrets_;
  std::string text_;
  int depth_ = 0;
  bool item_ = false;
};

void write_listener(writer& out, const listener& one) {
  out.text("name", one.name);
  out.text("address", one.address.text());
  out.mapping("tls", [&] {
    out.line("mode", name_of(listener_tls_modes, one.tls.mode));
    out.mappings("certificates", one.tls.certificates, [&](const certificate& shown) {
      out.text("certFile", shown.cert_file);
      out.text("keyFile", shown.key_file);
      out.texts_if("serverNames", shown.server_names);
    });
    out.text_if("clientCaFile", one.tls.client_ca_file);
    out.line("clientCertificate", name_of(client_certificate_modes, one.tls.client_certificates));
    out.text("minVersion", name_of(tls_versions, one.tls.min_version));
  });
  if (one.speaks_proxy_protocol()) {
    out.mapping("proxyProtocol", [&] { out.ranges_if("trustedSources", one.proxy_protocol_sources); });
  }
  out.number("maxSessions", one.max_sessions);
  out.time("loginTimeout", one.login_timeout);
  out.number("maxHalfOpenLogins", one.max_half_open_logins);
  out.number("maxHalfOpenLoginsPerSource", one.max_half_open_logins_per_source);
}

void write_match(writer& out, const route_match& match) {
  if (match == route_match{}) return;
  out.mapping("match", [&] {
    out.texts_if("listener", match.listeners);
    out.texts_if("serverName", match.server_names);
    out.texts_if("database", match.databases);
    out.texts_if("user", match.users);
    out.ranges_if("source", match.sources);
  });
}

/// What came from a file names the file; what came from the environment shows that it is there.
void write_password(writer& out, const secret_text& password, const std::string& file) {
  if (!file.empty()) {
    out.file_if("password", file);
  } else if (!password.empty()) {
    out.text("password", secret_shown);
  }
}

void write_server_user(writer& out, const server_user& one) {
  out.text("user", one.user);
  write_password(out, one.password, one.password_file);
}

void write_ephemeral(writer& out, const ephemeral_roles& roles) {
  out.mapping("ephemeral", [&] {
    write_server_user(out, roles.as);
    out.texts_if("memberOf", roles.member_of);
    out.text("prefix", roles.prefix);
    out.text_if("reassignTo", roles.reassign_to);
    out.text("database", roles.database);
  });
}

void write_keys(writer& out, const issuer_keys& keys) {
  out.text("issuer", keys.issuer);
  out.text_if("jwksFile", keys.jwks_file);
  out.text_if("jwksUri", keys.jwks_uri);
  out.file_if("ca", keys.ca_file);
}

void write_tokens(writer& out, const jwt_auth& jwt) {
  write_keys(out, jwt.keys);
  out.texts_if("audience", jwt.audiences);
  out.text("principalClaim", jwt.principal_claim);
  out.text_if("groupsClaim", jwt.groups_claim);
  out.texts_if("algorithms", jwt.algorithms);
  out.time("clockSkew", jwt.clock_skew);
}

void write_jwt(writer& out, const jwt_auth& jwt) {
  out.mapping("jwt", [&] {
    write_tokens(out, jwt);
    out.line("offer", name_of(token_offers, jwt.offer));
    out.text("scope", jwt.scope);
  });
}

void write_kubernetes(writer& out, const kubernetes_auth& said) {
  out.mapping("kubernetes", [&] {
    out.text_if("apiServer", said.api_server);
    out.text_if("tokenFile", said.token_file);
    out.text_if("caFile", said.ca_file);
    out.texts_if("audience", said.audiences);
    if (said.offline) out.mapping("offline", [&] { write_keys(out, *said.offline); });
    if (said.authorization) {
      out.mapping("authorization", [&] {
        out.text("namespace", said.authorization->name_space);
        out.text("name", said.authorization->name);
        out.time("graceTime", said.authorization->grace);
      });
    }
  });
}

void write_identity(writer& out, const route_auth& auth) {
  if (auth.certificate) {
    out.mapping("certificate", [&] {
      out.mappings("map", auth.certificate->map, [&](const certificate_rule& rule) {
        out.line("from", name_of(certificate_names, rule.from));
        out.text("match", rule.match);
        out.text("principal", rule.principal);
      });
    });
  }
  if (auth.jwt) write_jwt(out, *auth.jwt);
  if (auth.kubernetes) write_kubernetes(out, *auth.kubernetes);
  if (auth.disconnect_expired) out.flag("disconnectExpired", true);
  out.mappings("userMap", auth.user_map, [&](const user_rule& rule) {
    out.texts_if("principal", rule.principals);
    out.texts_if("group", rule.groups);
    out.texts_if("user", rule.users);
  });
}

void write_auth(writer& out, const route_auth& auth) {
  out.mapping("auth", [&] {
    out.line("method", name_of(auth_methods, auth.method));
    out.file_if("verifier", auth.verifier_file);
    write_identity(out, auth);
    if (!auth.query) return;
    out.mapping("query", [&] {
      out.text("sql", auth.query->sql);
      out.text("user", auth.query->user);
      write_password(out, auth.query->password, auth.query->password_file);
      out.text("database", auth.query->database);
    });
  });
}

void write_route(writer& out, const route& one) {
  out.text("name", one.name);
  write_match(out, one.match);
  out.text("upstream", one.upstream);
  out.line("target", name_of(route_targets, one.target));
  out.text_if("database", one.database);
  out.line("pooling", name_of(pooling_modes, one.pooling));
  out.line("onUnsafe", name_of(unsafe_policies, one.on_unsafe));
  write_auth(out, one.auth);
  if (one.login) {
    out.mapping("credentials", [&] {
      if (!one.login->usual.user.empty()) write_server_user(out, one.login->usual);
      out.mappings("principals", one.login->principals, [&](const principal_user& each) {
        out.texts_if("principal", each.principals);
        write_server_user(out, each.as);
      });
      out.line("principalAs", name_of(principal_notes, one.login->note));
      if (one.login->ephemeral) write_ephemeral(out, *one.login->ephemeral);
    });
  }
  if (!one.parameters.empty()) {
    out.mapping("settings", [&] {
      for (const auto& [name, value] : one.parameters)
        out.text(scalar(name), value);
    });
  }
  out.mapping("limits", [&] {
    out.number("maxSessions", one.limits.max_sessions);
    out.number("maxSessionsPerPrincipal", one.limits.max_sessions_per_principal);
    out.time("idleTimeout", one.limits.idle_timeout);
    out.time("transactionTimeout", one.limits.transaction_timeout);
    out.time("sessionTimeout", one.limits.session_timeout);
  });
}

void write_kubernetes_discovery(writer& out, const kubernetes_discovery& one) {
  out.mapping("kubernetes", [&] {
    out.text("namespace", one.name_space);
    out.text_if("service", one.service);
    if (one.run_by != kubernetes_operator::none) {
      out.mapping("cluster", [&] {
        out.text("operator", name_of(kubernetes_operators, one.run_by));
        out.text("name", one.cluster);
      });
    }
    out.text_if("port", one.port);
    out.text_if("serverName", one.server_name);
    if (!one.ca_secret.empty()) {
      out.mapping("caSecret", [&] {
        out.text("name", one.ca_secret);
        out.text("key", one.ca_key);
      });
    }
  });
}

void write_discovery(writer& out, const discovery& one) {
  if (one == discovery{}) return;
  out.mapping("discovery", [&] {
    if (one.kind == discovery_kind::srv) out.mapping("srv", [&] { out.text("name", one.name); });
    if (one.kind == discovery_kind::dns) {
      out.mapping("dns", [&] {
        out.text("name", one.name);
        out.number("port", one.port);
      });
    }
    if (one.kind == discovery_kind::kubernetes) write_kubernetes_discovery(out, one.in_kubernetes);
    out.text_if("resolver", one.resolver);
  });
}

void write_health(writer& out, const health& one) {
  out.mapping("health", [&] {
    out.time("interval", one.interval);
    out.time("timeout", one.timeout);
    out.text_if("user", one.user);
    write_password(out, one.password, one.password_file);
    out.text("database", one.database);
    out.time("maxReplicaLag", one.max_replica_lag);
    out.time("slowStart", one.slow_start);
  });
}

void write_upstream(writer& out, const upstream& one, bool tls_is_used) {
  out.text("name", one.name);
  out.texts_if("allowedNamespaces", one.allowed_namespaces);
  out.list_if("endpoints", one.endpoints, [](const address& at) { return at.text(); });
  write_discovery(out, one.found);
  if (one.health) write_health(out, *one.health);
  out.mappings("zones", one.zones, [&](const zone& each) {
    out.text("name", each.name);
    out.texts_if("endpoints", each.endpoints);
  });
  out.mapping("pool", [&] {
    out.number("size", one.pool.size);
    out.number("minIdle", one.pool.min_idle);
    out.number("maxConnections", one.pool.max_connections);
    out.number("perUser", one.pool.per_user);
    out.time("maxLifetime", one.pool.max_lifetime);
    out.time("idleTimeout", one.pool.idle_timeout);
    out.number("maxLogins", one.max_logins);
    out.time("maxWait", one.max_wait);
  });
  out.mapping("failover", [&] { out.time("hold", one.hold); });
  if (tls_is_used) {
    out.mapping("tls", [&] {
      out.text("mode", name_of(upstream_tls_modes, one.tls.mode));
      out.file_if("ca", one.tls.ca_file);
      out.certificate_if(one.tls.cert_file, one.tls.key_file);
      out.flag("direct", one.tls.direct);
      out.flag("sameCertificate", one.tls.same_certificate);
    });
  }
  out.time("connectTimeout", one.connect_timeout);
  out.line("proxyProtocol", name_of(proxy_headers, one.proxy_protocol));
  out.flag("allowCleartextPassword", one.allow_cleartext_password);
}

void write_audit(writer& out, const audit& one) {
  out.mapping("audit", [&] {
    out.mappings("sinks", one.sinks, [&](const audit_sink& each) {
      out.line("type", name_of(audit_sink_types, each.type));
      if (each.type != audit_sink_type::file) return;
      out.text("path", each.path);
      out.line("segmentSize", format_size(each.segment_bytes));
      out.time("segmentAge", each.segment_age);
    });
    out.flag("queryText", one.query_text);
    out.text("parameters", name_of(audit_parameter_modes, one.parameters));
    out.line("onFailure", name_of(audit_failures, one.on_failure));
  });
}

void write_hours(writer& out, const access_hours& hours) {
  constexpr std::array<std::string_view, 7> names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  std::vector<std::string> days;
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((hours.days >> i & 1) != 0) days.emplace_back(names[i]);
  const auto shown = [](std::chrono::minutes at) {
    return fmt::format("{:02}:{:02}", at.count() / 60, at.count() % 60);
  };
  out.mapping("hours", [&] {
    out.texts_if("days", days);
    out.text("from", shown(hours.from));
    out.text("until", shown(hours.until));
    out.text("timeZone", hours.time_zone);
  });
}

void write_approval(writer& out, const access_approval& needed) {
  out.mapping("approval", [&] {
    out.texts_if("anyOf", needed.any_of);
    out.texts_if("allOf", needed.all_of);
    out.number("count", needed.count);
    out.texts_if("breakGlass", needed.break_glass);
    out.flag("reason", needed.reason);
    out.time("wait", needed.wait);
  });
}

/// What one that allows gives.
void write_given(writer& out, const access_policy& one) {
  out.line("level", name_of(access_levels, one.level));
  out.text_if("role", one.role);
  out.list_if("denied", one.denied,
              [](statement_class each) { return std::string(name_of(statement_classes, each)); });
  out.flag("replication", one.replication);
  out.time("maxLength", one.max_length);
  if (!one.settings.empty()) {
    out.mapping("settings", [&] {
      for (const auto& [name, value] : one.settings)
        out.text(scalar(name), value);
    });
  }
  out.mapping("limits", [&] {
    out.number("rows", one.max_rows);
    out.line("bytes", format_size(one.max_bytes));
  });
  if (one.approval) write_approval(out, *one.approval);
}

void write_policy(writer& out, const access_policy& one) {
  out.text("name", one.name);
  out.line("effect", name_of(access_effects, one.effect));
  out.mapping("subjects", [&] {
    out.texts_if("user", one.subjects.users);
    out.texts_if("group", one.subjects.groups);
    out.texts_if("serviceAccount", one.subjects.service_accounts);
    out.texts_if("spiffe", one.subjects.spiffe);
  });
  if (!one.routes.empty() || !one.databases.empty()) {
    out.mapping("objects", [&] {
      out.texts_if("route", one.routes);
      out.texts_if("database", one.databases);
    });
  }
  out.ranges_if("source", one.sources);
  if (one.hours) write_hours(out, *one.hours);
  if (one.effect == access_effect::allow) write_given(out, one);
}

/// Where it goes to; the rest may be what lets one write there.
std::string shown_url(const std::string& url) {
  const std::string origin = url_origin(url);
  return origin.size() == url.size() ? origin : origin + '/' + std::string(secret_shown);
}

void write_access(writer& out, const access& one) {
  if (one == access{}) return;
  out.mapping("access", [&] {
    out.mappings("policies", one.policies, [&](const access_policy& each) { write_policy(out, each); });
    out.text_if("store", one.store);
    out.texts_if("administrators", one.administrators);
    out.mappings("webhooks", one.webhooks, [&](const access_webhook& each) {
      out.text_if("urlFile", each.url_file);
      if (each.url_file.empty()) out.text("url", shown_url(each.url.reveal()));
      out.text_if("secretFile", each.secret_file);
      out.line("format", name_of(webhook_formats, each.format));
    });
  });
}

void write_admin(writer& out, const admin& one) {
  out.mapping("admin", [&] {
    if (one.address) out.text("address", one.address->text());
    if (one.status) out.text("status", one.status->text());
    out.text_if("tokensFile", one.tokens_file);
    if (one.jwt) out.mapping("jwt", [&] { write_tokens(out, *one.jwt); });
    if (!one.console.is_open()) return;
    out.mapping("console", [&] {
      out.texts_if("users", one.console.users);
      out.texts_if("readers", one.console.readers);
      out.text("verifierFile", one.console.verifier_file);
    });
  });
}

void write_replicas(writer& out, const replicas& one) {
  out.mapping("replicas", [&] {
    out.line("number", one.number == 0 ? "auto" : std::to_string(one.number));
    out.text_if("keyFile", one.key_file);
    if (one.has_peers()) {
      out.mapping("peers", [&] {
        out.list_if("endpoints", one.endpoints, [](const address& at) { return at.text(); });
        if (one.found.kind == discovery_kind::dns) {
          out.mapping("dns", [&] {
            out.text("name", one.found.name);
            out.number("port", one.found.port);
          });
        }
        out.text_if("resolver", one.found.resolver);
      });
    }
    out.mapping("tls", [&] {
      out.line("mode", name_of(upstream_tls_modes, one.tls.mode));
      out.text_if("caFile", one.tls.ca_file);
      out.text_if("certFile", one.tls.cert_file);
      out.text_if("keyFile", one.tls.key_file);
    });
  });
}

void write_presence(writer& out, const kubernetes_presence& one) {
  out.text("gateway", one.gateway);
  out.text_if("namespace", one.name_space);
  if (one.objects == kubernetes_objects{}) out.line("objects", "{}");
  if (one.objects && one.objects != kubernetes_objects{}) {
    out.mapping("objects", [&] {
      out.texts_if("namespaces", one.objects->namespaces);
      out.text_if("selector", one.objects->labels);
    });
  }
  out.flag("requests", one.requests);
  out.flag("events", one.events);
}

void write_kubernetes_api(writer& out, const settings& value) {
  const kubernetes_access& one = value.kubernetes;
  if (one == kubernetes_access{} && value.in_kubernetes == kubernetes_presence{}) return;
  out.mapping("kubernetes", [&] {
    out.text_if("kubeconfigFile", one.kubeconfig_file);
    out.text_if("context", one.context);
    out.text_if("apiServer", one.api_server);
    out.text_if("tokenFile", one.token_file);
    out.text_if("caFile", one.ca_file);
    if (value.in_kubernetes != kubernetes_presence{}) write_presence(out, value.in_kubernetes);
  });
}

}  // namespace

std::string render_yaml(const settings& value) {
  writer out(value);
  out.mappings("listeners", value.listeners, [&](const listener& one) { write_listener(out, one); });
  out.mappings("routes", value.routes, [&](const route& one) { write_route(out, one); });
  out.mappings("upstreams", value.upstreams, [&](const upstream& one) {
    write_upstream(out, one, one.health || !tls_passes_through(value, one));
  });
  out.mapping("keepalive", [&] {
    out.time("idle", value.keepalive.idle);
    out.time("interval", value.keepalive.interval);
    out.number("probes", static_cast<std::size_t>(value.keepalive.probes));
    out.time("userTimeout", value.keepalive.user_timeout);
  });
  out.line("workers", value.workers == 0 ? "auto" : std::to_string(value.workers));
  out.text_if("zone", value.zone);
  out.mapping("drain", [&] {
    out.time("delay", value.drain_delay);
    out.time("grace", value.drain_grace);
  });
  if (!value.audit.sinks.empty()) write_audit(out, value.audit);
  write_access(out, value.access);
  if (value.replicas != replicas{}) write_replicas(out, value.replicas);
  if (value.admin.address) write_admin(out, value.admin);
  if (!value.tracing.endpoint.empty())
    out.mapping("tracing", [&] {
      out.text("endpoint", value.tracing.endpoint);
      out.text_if("caFile", value.tracing.ca_file);
    });
  write_kubernetes_api(out, value);
  return out.take();
}

}  // namespace trunkline::config
