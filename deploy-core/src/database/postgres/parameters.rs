//! The parameters of a connection's URL, and what becomes of each.

/// The parameters of a URL that have a variable of their own.
pub(super) const VARIABLES: [(&str, &str); 18] = [
    ("client_encoding", "PGCLIENTENCODING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("gssencmode", "PGGSSENCMODE"),
    ("gsslib", "PGGSSLIB"),
    ("hostaddr", "PGHOSTADDR"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("requirepeer", "PGREQUIREPEER"),
    ("requiressl", "PGREQUIRESSL"),
    ("service", "PGSERVICE"),
    ("sslcert", "PGSSLCERT"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("sslcrl", "PGSSLCRL"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
];

/// The parameters of a URL that stand beside the database's name: they have no variable, or one that an older client would
/// pass over without a word.
pub(super) const BESIDE: [&str; 17] = [
    "channel_binding",
    "gssdelegation",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "require_auth",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcrldir",
    "sslnegotiation",
    "sslsni",
    "tcp_user_timeout",
];

/// What PostgreSQL knows and can't be handed on: secrets that only a command line would take, and what is no session of ours.
pub(super) const REFUSED: [&str; 9] = [
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "replication",
    "scram_client_key",
    "scram_server_key",
    "sslkeylogfile",
    "sslpassword",
];

/// What the tool says itself, or the parts of a connection.
pub(super) const PARTS: [&str; 7] =
    ["application_name", "dbname", "fallback_application_name", "host", "password", "port", "user"];

/// What applications' own libraries read from a URL, and says nothing of how the server is found and trusted.
pub(super) const OF_APPLICATIONS: [&str; 25] = [
    "adapter",
    "advisory_locks",
    "checkout_timeout",
    "conn_max_age",
    "connection_limit",
    "encoding",
    "idle_timeout",
    "insert_returning",
    "max_connections",
    "min_connections",
    "min_messages",
    "pgbouncer",
    "pool",
    "pool_size",
    "pool_timeout",
    "prepared_statements",
    "reaping_frequency",
    "reconnect",
    "schema",
    "schema_search_path",
    "socket_timeout",
    "statement-cache-capacity",
    "statement_cache_size",
    "statement_limit",
    "timeout",
];
