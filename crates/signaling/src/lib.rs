//! The sans-IO state machine.
