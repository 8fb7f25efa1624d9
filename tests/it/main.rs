//! One binary for all integration tests.

mod golden; // what one event becomes, row by row: new behaviour of the transform goes into tests/golden
mod reference; // the transform written once more, slowly
mod transform_property; // the transform against the reference, on generated events
