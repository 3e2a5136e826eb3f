//! The table: made on request, with its time to live.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
    },
};
use tower_session_guard::store::{StoreError, StoreErrorKind};

use crate::{DynamoDbStore, failure::failure, item};

/// How long [`DynamoDbStore::create_table`] waits for the table: half a second as often as this.
const POLLS: u32 = 240;

impl DynamoDbStore {
    /// Makes the table, billed by request, and switches its time to live on; does nothing where both are
    /// done. Waits until the table can be used, up to two minutes.
    ///
    /// For a deployment or a test: the application itself needs no permission for this.
    ///
    /// # Errors
    ///
    /// If the client may not, or the table is not ready in time. Calling it again goes on from there.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let unsupported = |error| StoreError::with_source(StoreErrorKind::Unsupported, error);
        let mut create = self
            .client
            .create_table()
            .table_name(&*self.table)
            .billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [
            (item::PARTITION, KeyType::Hash),
            (item::SORT, KeyType::Range),
        ] {
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .map_err(unsupported)?;
            let key = KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build()
                .map_err(unsupported)?;
            create = create.attribute_definitions(attribute).key_schema(key);
        }
        if let Err(error) = create.send().await {
            match error.as_service_error() {
                Some(CreateTableError::ResourceInUseException(_)) => {}
                _ => return Err(failure(error)),
            }
        }
        self.wait_until_active().await?;
        self.switch_ttl_on().await
    }

    async fn wait_until_active(&self) -> Result<(), StoreError> {
        for _ in 0..POLLS {
            let describe = self.client.describe_table().table_name(&*self.table);
            let described = describe.send().await.map_err(failure)?;
            let status = described.table.and_then(|table| table.table_status);
            if status == Some(TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(StoreError::new(StoreErrorKind::Timeout))
    }

    async fn switch_ttl_on(&self) -> Result<(), StoreError> {
        let describe = self.client.describe_time_to_live();
        let described = describe.table_name(&*self.table).send().await;
        let ttl = described.map_err(failure)?.time_to_live_description;
        let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
        if ttl.is_some_and(|ttl| ttl.time_to_live_status.is_some_and(|now| on.contains(&now))) {
            return Ok(());
        }
        let specification = TimeToLiveSpecification::builder()
            .attribute_name(item::TTL)
            .enabled(true)
            .build()
            .map_err(|error| StoreError::with_source(StoreErrorKind::Unsupported, error))?;
        let update = self.client.update_time_to_live().table_name(&*self.table);
        let update = update.time_to_live_specification(specification);
        update.send().await.map(drop).map_err(failure)
    }
}
