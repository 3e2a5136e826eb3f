//! Evidence that the middleware holds under attack, races and faults: the whole service over a store whose
//! every call is a point at which another request may go first, a fault may strike, or a rule be broken.
//!
//! Nothing here runs on a runtime: futures are polled by hand, so that every run can be repeated.

#[cfg(feature = "dbsc")]
mod device_model;
mod drops;
mod faults;
mod interleavings;
mod keys;
mod model;
mod records;
mod sequences;
mod store;
mod timing;
mod world;
