//! A transfer of money, which the second factor guards.

use axum::{
    http::StatusCode,
    response::{Html, Redirect},
};
use serde::Deserialize;
use tower_session_guard::{AuthenticatedSession, DataKey};

use super::{
    form::Checked,
    page::{csrf, page},
};

/// What was transferred in this session. The same user keeps it over a login, nobody else sees it.
pub(crate) const TRANSFERS: DataKey<Vec<String>> = DataKey::new("transfers");

pub(crate) async fn form(user: AuthenticatedSession) -> Html<String> {
    let session = user.session();
    let body = format!(
        r#"<form class="card" method="post" action="/transfer">
{}<label>To <input name="to" required maxlength="40" autofocus></label>
<label>Amount <input name="amount" type="number" min="1" max="10000" required></label>
<button>Transfer</button>
<p class="hint">This page lets you in while your second factor counts: at level 2, proved within the last
ten minutes.</p>
</form>"#,
        csrf(session)
    );
    page(session, "Transfer", &body)
}

#[derive(Deserialize)]
pub(crate) struct Transfer {
    to: String,
    amount: String,
}

pub(crate) async fn transfer(
    user: AuthenticatedSession,
    Checked(transfer): Checked<Transfer>,
) -> Result<Redirect, StatusCode> {
    let amount: u32 = transfer
        .amount
        .parse()
        .map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let to: String = transfer.to.chars().take(40).collect();
    let session = user.session();
    let stored = session.get(&TRANSFERS);
    let mut transfers = stored.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let list = transfers.get_or_insert_default();
    list.push(format!("{amount} to {to}"));
    let excess = list.len().saturating_sub(5);
    list.drain(..excess);
    let inserted = session.insert(&TRANSFERS, list);
    inserted.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Redirect::to("/"))
}
