"""The rooms of src/ and the one allowed direction between them (ARCHITECTURE.md). This is the only list."""

_FLOOR = {"base"}

# room -> the rooms whose headers it may include, itself left out
ALLOWED = {
    "base": set(),
    "runtime": _FLOOR,
    "net": _FLOOR | {"runtime"},
    "tls": _FLOOR | {"runtime", "net"},
    "protocol": _FLOOR,
    "config": _FLOOR,
    "telemetry": _FLOOR | {"runtime"},
    "pgbouncer": _FLOOR | {"config"},
    "auth": _FLOOR,
    "http": _FLOOR,
    "client": _FLOOR | {"runtime", "net", "tls", "protocol", "auth"},
    "doctor": _FLOOR | {"runtime", "net", "tls", "protocol", "auth", "http", "client"},
    "identity": _FLOOR | {"runtime", "auth", "http", "config", "telemetry"},
    "grants": _FLOOR | {"runtime", "auth", "http", "config", "telemetry"},
    "access": _FLOOR | {"auth", "config"},
    "audit": _FLOOR | {"runtime", "protocol", "http", "config", "telemetry"},
    "sql": _FLOOR,
    "routing": _FLOOR | {"config", "protocol"},
    "pool": _FLOOR | {"runtime", "net", "tls", "protocol", "auth", "routing", "config", "telemetry"},
    "k8s": _FLOOR | {"runtime", "net", "auth", "http", "identity", "routing", "pool", "grants", "config", "telemetry"},
    "session": _FLOOR | {"runtime", "net", "tls", "protocol", "auth", "routing", "pool", "sql", "audit", "identity", "access", "grants", "config", "telemetry"},
    "console": _FLOOR | {"runtime", "config", "telemetry", "audit", "session"},
    "admin": _FLOOR | {"runtime", "net", "protocol", "config", "telemetry", "audit", "grants", "session"},
    "storm": _FLOOR | {"runtime", "net", "tls", "protocol", "auth", "client"},
}
ALLOWED["main"] = set(ALLOWED)

# Bytes in, bytes out: these rooms, and these files of other rooms, know no socket, clock, thread or coroutine.
SANS_IO_ROOMS = {"protocol", "auth", "access", "sql", "routing"}
SANS_IO_FILES = r"^src/session/\w*machine\.(h|cc)$"
SANS_IO_FORBIDDEN_ROOMS = {"runtime", "net", "tls", "pool"}

SANS_IO_FORBIDDEN_HEADERS = (
    r"sys/(socket|epoll|select|eventfd|timerfd|signalfd|un|uio|poll)\.h|netinet/.*|arpa/.*|netdb\.h|poll\.h|unistd\.h|fcntl\.h"
    r"|pthread\.h|liburing\.h|thread|future|condition_variable|barrier|latch|semaphore|stop_token|coroutine|random"
    r"|fstream|filesystem|time\.h|sys/time\.h|ctime"
)
# <chrono> is there for durations; asking what time it is, or for randomness, is not.
SANS_IO_FORBIDDEN_CODE = (
    r"\b(?:steady|system|high_resolution|utc)_clock\s*::\s*now\b|\bclock_gettime\s*\(|\bgettimeofday\s*\("
    r"|\brandom_device\b|\bRAND_(?:priv_)?bytes\s*\(|\bgetrandom\s*\(|\bgetentropy\s*\(|\bco_(?:await|return|yield)\b"
)
