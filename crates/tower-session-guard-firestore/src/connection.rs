//! The way to Firestore: one HTTP/2 connection, and the headers that it wants.

use std::time::Duration;

use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use googleapis_tonic_google_firestore_v1::google::firestore::v1::firestore_client::FirestoreClient;
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use tonic::{
    Request,
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use tower_session_guard::store::{StoreError, StoreErrorKind};

const SCOPE: &str = "https://www.googleapis.com/auth/datastore";

/// A connection that answers nothing, not even a ping, for so long after so long is given up.
const PING_AFTER: Duration = Duration::from_secs(30);
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// Answers larger than this are refused: Firestore's largest document and some room.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

#[derive(Clone)]
pub(super) struct Connection {
    channel: Channel,
    /// None for an emulator.
    credentials: Option<Credentials>,
}

impl Connection {
    pub(super) fn to_google() -> Result<Self, StoreError> {
        let credentials = Builder::default().with_scopes([SCOPE]).build();
        let tls = ClientTlsConfig::new().with_native_roots();
        let endpoint = Endpoint::from_static("https://firestore.googleapis.com").tls_config(tls);
        Ok(Self {
            channel: lazily(endpoint.map_err(unsupported)?),
            credentials: Some(credentials.map_err(unsupported)?),
        })
    }

    pub(super) fn to_emulator(host: &str) -> Result<Self, StoreError> {
        let endpoint = Endpoint::from_shared(format!("http://{host}")).map_err(unsupported)?;
        if endpoint.uri().port().is_none() {
            return Err(unsupported("the emulator's host is written host:port"));
        }
        Ok(Self {
            channel: lazily(endpoint),
            credentials: None,
        })
    }

    pub(super) fn client(&self) -> FirestoreClient<Channel> {
        FirestoreClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// A request about this database, with an access token that is renewed before it ends.
    pub(super) async fn request<T>(
        &self,
        message: T,
        database: &str,
    ) -> Result<Request<T>, StoreError> {
        let mut headers = match &self.credentials {
            None => {
                HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer owner"))])
            }
            Some(credentials) => match credentials.headers(Extensions::new()).await {
                Ok(CacheableResource::New { data, .. }) => data,
                Ok(CacheableResource::NotModified) => HeaderMap::new(),
                Err(error) => return Err(StoreError::unavailable(error)),
            },
        };
        // Which database is meant, for the servers on the way.
        let prefix = HeaderValue::try_from(database).map_err(unsupported)?;
        headers.insert("google-cloud-resource-prefix", prefix);
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        Ok(request)
    }
}

fn lazily(endpoint: Endpoint) -> Channel {
    endpoint
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(GIVE_UP_AFTER)
        .connect_lazy()
}

fn unsupported(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unsupported, why)
}
