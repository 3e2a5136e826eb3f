#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod app_user;
mod client;
mod current_user;
mod explanation;
mod flash;
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/users.md")]
pub mod guide {}
mod load;
mod login_page;
mod permission;
mod preflight;
mod rejection;
mod require_user;
mod rule;
mod session_data;
mod stamp;
mod transaction;
mod word;

pub use app_user::AppUser;
pub use current_user::CurrentUser;
pub use explanation::Explanation;
pub use flash::{Flash, FlashCookie, FlashLevel, FlashMessage};
pub use login_page::LoginPage;
pub use permission::HasPermission;
pub use rejection::UserRejection;
pub use require_user::{RequireUser, RequireUserService};
pub use session_data::{Data, DataRejection, SessionData};
pub use stamp::CredentialStamp;
pub use transaction::{SetTransaction, Transaction, Transactions};
