//! The server: connections to it, what each must be, and what the server must be like to keep a promise.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, Runtime};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use super::open::OpenError;

/// A server that is there answers within this.
const CONNECT: Duration = Duration::from_secs(5);
/// Who waits for a connection longer is told to come again.
const WAIT: Duration = Duration::from_secs(10);
/// The system gives a connection up that was silent for so long.
const SILENT: Duration = Duration::from_secs(20);

/// A connection that is heard, not only asked.
pub(super) type Hearing = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How the server is reached.
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    schema: String,
    pool: Pool,
}

impl Server {
    /// Reads the URL; nothing is connected yet.
    pub(super) fn new(
        url: &SecretString,
        schema: &str,
        connections: usize,
        tls: Option<ClientConfig>,
    ) -> Result<Self, OpenError> {
        let mut config = config(url)?;
        config.application_name("hookport").keepalives_idle(SILENT).tcp_user_timeout(SILENT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        let tls = MakeRustlsConnect::new(tls.map_or_else(browsers, Ok)?);
        let manager = Manager::from_config(config.clone(), tls.clone(), ManagerConfig::default());
        let set = settings(schema);
        let prepared = Hook::async_fn(move |client, _| {
            let set = set.clone();
            Box::pin(async move { client.batch_execute(&set).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(CONNECT * 2))
            .post_create(prepared)
            .build()
            .map_err(|error| OpenError::Url { message: error.to_string() })?;
        Ok(Self { config, tls, schema: schema.to_owned(), pool })
    }

    /// One of the pool's.
    pub(super) async fn client(&self) -> Result<Object, Fault> {
        Ok(self.pool.get().await?)
    }

    /// One beside the pool, whose notices are heard.
    pub(super) async fn listener(&self) -> Result<(Client, Hearing), Fault> {
        Ok(self.config.connect(self.tls.clone()).await?)
    }

    /// One beside the pool, for what must not wait for others.
    pub(super) async fn alone(&self) -> Result<Client, Fault> {
        let (client, connection) = self.listener().await?;
        // It ends with the client.
        tokio::spawn(connection);
        client.batch_execute(&self.settings()).await?;
        Ok(client)
    }

    /// Connections that nobody uses now are made anew: the server may be another one.
    pub(super) fn renew(&self) {
        self.pool.retain(|_, _| false);
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// What every connection begins with.
    pub(super) fn settings(&self) -> String {
        settings(&self.schema)
    }

    /// After this nobody gets a connection.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Where it is, without what is secret.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let ports = self.config.get_ports().iter().copied().chain(std::iter::repeat(5432));
        let ports = if self.config.get_ports().len() == 1 {
            self.config.get_ports().repeat(16)
        } else {
            ports.take(16).collect()
        };
        let hosts: Vec<_> = hosts.zip(ports).map(|(host, port)| format!("{host}:{port}")).collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{}/{database}, schema {}", hosts.join(","), self.schema)
    }

    /// Whether anybody on the way may read along.
    pub(super) fn is_in_the_clear(&self) -> bool {
        let local = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        };
        self.config.get_ssl_mode() != SslMode::Require && !self.config.get_hosts().iter().all(local)
    }
}

/// TLS 1.2 and 1.3 with servers that the authorities of browsers vouch for.
fn browsers() -> Result<ClientConfig, OpenError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| OpenError::Url { message: error.to_string() })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn config(url: &SecretString) -> Result<Config, OpenError> {
    let wrong = |message: &str| OpenError::Url { message: message.to_owned() };
    let url = url.expose_secret().trim();
    // What begins otherwise would be read as words, and repeated in what is said of them.
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong("it does not begin with postgres://"));
    }
    // Who asks for TLS gets all of it: chain and name are always checked, so the words for less and for more say the same.
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let config: Config = url.parse().map_err(OpenError::url)?;
    if config.get_hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    Ok(config)
}

fn settings(schema: &str) -> String {
    // A commit that is not on the disk is no commit: what the role or the database say otherwise does not hold here.
    format!(
        "SET search_path TO {}; SET timezone TO 'UTC'; SET statement_timeout TO 0; SET lock_timeout TO 0; \
         SET idle_in_transaction_session_timeout TO '60s'; \
         DO $$ BEGIN IF current_setting('synchronous_commit') = 'off' THEN SET synchronous_commit TO on; END IF; END $$",
        quoted(schema)
    )
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A server that may lose what it said was kept, or is too old.
pub(super) async fn judge(client: &Client) -> Result<(), OpenError> {
    let asked = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
         current_setting('fsync'), current_setting('full_page_writes'), pg_is_in_recovery(), \
         (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')";
    let row = client.query_one(asked, &[]).await.map_err(|error| OpenError::server(&error.into()))?;
    let text = |column| row.get::<_, String>(column);
    if row.get::<_, i32>(0) < 150_000 {
        return Err(OpenError::Old { found: text(1) });
    }
    for (column, setting) in [(2, "fsync"), (3, "full_page_writes"), (5, "synchronous_commit")] {
        if text(column) == "off" {
            return Err(OpenError::Volatile { setting });
        }
    }
    if row.get(4) {
        return Err(OpenError::Standby);
    }
    Ok(())
}

/// What a connection says that nobody asked for.
pub(super) fn said(message: AsyncMessage) -> Option<String> {
    match message {
        AsyncMessage::Notification(notification) => Some(notification.payload().to_owned()),
        _ => None,
    }
}
