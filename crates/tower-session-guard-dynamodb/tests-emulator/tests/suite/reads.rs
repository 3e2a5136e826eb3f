//! What the client asks DynamoDB for: an emulator answers consistently whether it was asked to or not.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef,
    },
    error::BoxError,
};

use crate::emulator::config;

/// The requests that a client sent: the operation, and the JSON that it was called with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<(String, String)>>>);

impl Requests {
    /// A client whose requests are noted here.
    pub(crate) fn client(&self, endpoint: &str) -> Client {
        Client::from_conf(config(endpoint).interceptor(self.clone()).build())
    }

    /// What was sent since this was asked last.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut sent)
    }
}

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(body).into_owned();
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push((operation, body));
        Ok(())
    }
}
