//! The URL of a PostgreSQL database.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr as _;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::store::StoreError;

/// What may follow the `?`. The driver would skip others with a line in the log that holds their value, and a
/// misspelt `sslmode` must not be skipped.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// What every session asks of the server; times in milliseconds. A session of a client that vanished without a
/// word ends after about ten seconds: with it go its locks, and with these what keeps its successor waiting.
const SETTINGS: [(&str, &str); 8] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30000"),
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "5000"),
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// Statements kept prepared on a connection.
const STATEMENTS: usize = 256;

/// Where a PostgreSQL database is, and how to sign in. Its text and its `Debug` hold no password.
#[derive(Clone)]
pub(crate) struct Address(PgConnectOptions);

impl Address {
    /// Whether a URL is one of PostgreSQL.
    pub(crate) fn is_one(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Reads `postgres://user:password@host:port/database?sslmode=…`. Where the URL and `PGSSLMODE` say nothing
    /// about TLS, a server on another machine must have a certificate that is valid for its name.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let mut parameters = Vec::new();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            if !PARAMETERS.contains(&name) {
                return Err(StoreError::Address(format!(
                    "has a parameter that is none of {}; in a password, write `?`, `&` and `@` as `%3F`, `%26` \
                     and `%40`",
                    PARAMETERS.join(", ")
                )));
            }
            parameters.push(name);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            StoreError::Address(
                "cannot be read: it has the form `postgres://user:password@host:5432/database?sslmode=verify-full`, \
                 with special characters of the password as `%` and two hexadecimal digits"
                    .into(),
            )
        })?;
        let silent = !parameters.contains(&"sslmode") && std::env::var_os("PGSSLMODE").is_none();
        let options =
            if silent && !is_local(&options) { options.ssl_mode(PgSslMode::VerifyFull) } else { options };
        let options = if options.get_application_name().is_none() {
            options.application_name("bailiwick")
        } else {
            options
        };
        // What is said last counts, so nothing in the URL undoes this.
        let options = options
            .options(SETTINGS)
            .extra_float_digits(None)
            .statement_cache_capacity(STATEMENTS)
            // A statement's values are what must not reach a log line.
            .disable_statement_logging();
        Ok(Self(options))
    }

    /// For the driver.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.0.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        match options.get_socket() {
            Some(folder) => write!(f, "PostgreSQL at {}", folder.display())?,
            None => write!(f, "PostgreSQL at {}:{}", options.get_host(), options.get_port())?,
        }
        write!(f, ", database {}", options.get_database().unwrap_or_else(|| options.get_username()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Whether what is sent leaves the machine.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host == "localhost"
        || host.starts_with('/')
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t-0f-th3-t3st";

    fn parse(rest: &str) -> Result<Address, StoreError> {
        Address::parse(&format!("postgres://bailiwick:{SECRET}@{rest}"))
    }

    #[test]
    fn another_machine_needs_a_certificate_unless_the_url_says_otherwise() {
        let mode = |rest: &str| format!("{:?}", parse(rest).unwrap().0.get_ssl_mode());
        for (rest, expected) in [
            ("db.example/bailiwick", "VerifyFull"),
            ("10.1.2.3:5433/bailiwick", "VerifyFull"),
            ("db.example/bailiwick?sslmode=require", "Require"),
            ("db.example/bailiwick?sslmode=disable", "Disable"),
            ("localhost/bailiwick", "Prefer"),
            ("127.0.0.1/bailiwick", "Prefer"),
            ("[::1]/bailiwick", "Prefer"),
            ("localhost/bailiwick?host=/run/postgresql", "Prefer"),
            ("localhost/bailiwick?host=db.example", "VerifyFull"),
        ] {
            assert_eq!(mode(rest), expected, "{rest}");
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        let address = parse("db.example:5433/gateway").unwrap();
        assert_eq!(address.to_string(), "PostgreSQL at db.example:5433, database gateway");
        let shown = format!("{address:?} {address:#?}");
        assert!(!shown.contains(SECRET), "{shown}");
        for wrong in ["db.example/x?sslmod=disable", "db.example:port/x", "/x?sslmode=perhaps", "h/x?port=y"]
        {
            let refused = parse(wrong).unwrap_err();
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains(SECRET), "{shown}");
        }
    }

    #[test]
    fn a_parameter_that_nobody_knows_is_refused() {
        assert!(matches!(parse("db.example/x?ssl_mode=disable"), Err(StoreError::Address(_))));
        assert!(matches!(parse("db.example/x?synchronous_commit=off"), Err(StoreError::Address(_))));
    }

    #[test]
    fn the_url_does_not_undo_what_a_session_asks_for() {
        let address = parse("localhost/x?options=-c%20synchronous_commit%3Doff").unwrap();
        let options = address.0.get_options().unwrap();
        let (off, on) = (options.find("synchronous_commit=off"), options.rfind("synchronous_commit=on"));
        assert!(off.is_some() && off < on, "{options}");
    }
}
