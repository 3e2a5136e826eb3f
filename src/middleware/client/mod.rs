//! [`ClientBinding`]: what a session notices about its client.

mod address;
mod reader;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{Extensions, HeaderMap};

pub use self::address::{AddressBlock, ForwardingHeader};
pub(super) use self::reader::ClientReader;
use crate::session::binding::OnChange;

type Peer = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;
type Proof = dyn Fn(&HeaderMap, &Extensions) -> Option<Vec<u8>> + Send + Sync;

/// What a session notices about the client that uses it, and what it does when that changes.
///
/// A stolen token is used by another client. Hardly anything that a client shows is both steady and hard
/// to imitate, so this is an alarm first and a lock only where the application knows its clients. It is
/// off unless [`SessionLayer::with_binding`](crate::SessionLayer::with_binding) turns it on. A part is
/// noted at the login and compared at every request; see [`OnChange`] for what a change does. Where it
/// [asks](OnChange::Ask), [`Session::is_suspended`](crate::Session::is_suspended) tells the application
/// why nobody is logged in; a login of the same subject takes the session's data over.
///
/// | part | an honest client changes it | recommended |
/// |---|---|---|
/// | [user agent](Self::user_agent), version numbers left out | with another kind of browser | [`Tell`](OnChange::Tell) |
/// | [network](Self::network): the first 24 bits of an IPv4 address, the first 48 of an IPv6 one | whenever it leaves home, loses the mobile network or starts a VPN; not with IPv6 privacy addresses | [`Tell`](OnChange::Tell) |
/// | [proof](Self::proof), such as the hash of a client certificate | never, if it is one | [`End`](OnChange::End) |
///
/// [`recommended`](Self::recommended) sets the first two so: they never log a user out.
///
/// Only digests are kept: HMAC-SHA-256 under a key derived from the ring, 16 bytes each. Neither an
/// address nor a user agent is in any record, token, event or log of this crate. Guest sessions are
/// not bound.
///
/// # Deployment caveat
///
/// The address of the connection must come in the request's extensions: as [`PeerAddress`], or as what
/// [`peer`](Self::peer) reads. Behind a reverse proxy that address is the proxy's; name the proxies with
/// [`behind`](Self::behind), since from anybody else a forwarding header is worth nothing.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{ClientBinding, ForwardingHeader, KeyRing, OnChange, SessionLayer};
///
/// let binding = ClientBinding::recommended()
///     .network(OnChange::Ask)
///     .behind(ForwardingHeader::XForwardedFor, ["10.0.0.0/8".parse()?]);
/// let sessions = SessionLayer::new(KeyRing::generate()?).with_binding(binding);
/// # let _ = sessions;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "hand it to SessionLayer::with_binding"]
pub struct ClientBinding {
    user_agent: Option<OnChange>,
    network: Option<OnChange>,
    prefix_v4: u8,
    prefix_v6: u8,
    peer: Arc<Peer>,
    proxies: Option<(ForwardingHeader, Arc<[AddressBlock]>)>,
    proof: Option<(OnChange, Arc<Proof>)>,
}

/// The address that a connection comes from, put into a request's extensions by whoever accepted it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address.ip())
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerAddress(REDACTED)")
    }
}

impl ClientBinding {
    /// Notices nothing yet.
    pub fn new() -> Self {
        Self {
            user_agent: None,
            network: None,
            prefix_v4: 24,
            prefix_v6: 48,
            peer: Arc::new(|extensions| extensions.get().map(|PeerAddress(peer)| *peer)),
            proxies: None,
            proof: None,
        }
    }

    /// Tells of another user agent and of another network, and logs no user out.
    pub fn recommended() -> Self {
        Self::new()
            .user_agent(OnChange::Tell)
            .network(OnChange::Tell)
    }

    /// Notices the `User-Agent` field, but for its digits and dots, so that an update is no change.
    pub const fn user_agent(mut self, on_change: OnChange) -> Self {
        self.user_agent = Some(on_change);
        self
    }

    /// Notices the network that the client is in: the first bits of its address.
    pub const fn network(mut self, on_change: OnChange) -> Self {
        self.network = Some(on_change);
        self
    }

    /// Sets how many bits of an IPv4 (24) and of an IPv6 address (48) make the network; more than the
    /// address has counts as all. An IPv4 address written as an IPv6 one is an IPv4 address.
    pub const fn prefixes(mut self, v4: u8, v6: u8) -> Self {
        self.prefix_v4 = v4;
        self.prefix_v6 = v6;
        self
    }

    /// Reads the connection's address with `peer` instead of from [`PeerAddress`].
    ///
    /// # Examples
    ///
    /// With axum, whose `into_make_service_with_connect_info` puts it there:
    ///
    /// ```
    /// use axum::extract::ConnectInfo;
    /// use std::net::SocketAddr;
    /// use tower_session_guard::ClientBinding;
    ///
    /// let binding = ClientBinding::recommended().peer(|extensions| {
    ///     let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    ///     Some(peer.ip())
    /// });
    /// ```
    pub fn peer(
        mut self,
        peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Arc::new(peer);
        self
    }

    /// Believes `header` where the connection comes from one of these proxies.
    ///
    /// The header is read from its end, where the nearest proxy wrote: the client is the first address
    /// there that is not a proxy's. From any other connection the header is ignored.
    pub fn behind(
        mut self,
        header: ForwardingHeader,
        proxies: impl IntoIterator<Item = AddressBlock>,
    ) -> Self {
        self.proxies = Some((header, proxies.into_iter().collect()));
        self
    }

    /// Notices what `proof` finds: a TLS exporter, the hash of a client certificate, a device's key.
    ///
    /// Only what the client cannot choose is a proof: read it from an extension that the TLS side put
    /// there, or from a header that the proxy overwrites.
    pub fn proof(
        mut self,
        on_change: OnChange,
        proof: impl Fn(&HeaderMap, &Extensions) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.proof = Some((on_change, Arc::new(proof)));
        self
    }
}

impl Default for ClientBinding {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBinding")
            .field("user_agent", &self.user_agent)
            .field("network", &self.network)
            .field(
                "proof",
                &self.proof.as_ref().map(|(on_change, _)| on_change),
            )
            .finish_non_exhaustive()
    }
}
