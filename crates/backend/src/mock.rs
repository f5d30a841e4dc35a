//! Mocks of the traits.
