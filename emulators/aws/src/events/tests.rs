//! The EventBridge API on the wire, with a mailbox in the place of everything that it reaches.
