//! The checks, one file a family. Each plays a small scene with fresh browsers and records what it concludes.

mod carry;
mod channel;
mod chosen;
mod cookie;
mod cross_site;
mod elevation;
mod expiry;
mod exposed;
mod header;
mod late;
mod login;
mod logout;
mod predict;
mod reauth;
mod sessions;
mod token;
mod token_keys;

use super::recorder::Recorder;
use super::scene::Scene;

/// Stops at the first error that every further request would meet too.
pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) {
    macro_rules! families {
        ($($what:literal $module:ident)*) => {$(
            recorder.progress($what);
            if let Err(error) = $module::run(scene, recorder).await
                && !recorder.broke_off($module::FAMILY, &error)
            {
                return;
            }
        )*};
    }
    families! {
        "the identifier at the login" login
        "identifiers of the client's own making" chosen
        "identifiers in URLs, forms and headers" channel
        "a second login, and a login as another user" reauth
        "elevation" elevation
        "what is carried over the login" carry
        "logout" logout
        "late responses and races" late
        "attributes of the session cookie" cookie
        "reading of the Cookie field" header
        "how identifiers are chosen" predict
        "self-contained tokens" token
        "the keys of tokens" token_keys
        "identifiers in addresses and pages" exposed
        "requests from other sites" cross_site
        "several sessions of one account" sessions
        "what expires" expiry
    }
}
