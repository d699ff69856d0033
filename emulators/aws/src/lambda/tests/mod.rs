//! The Lambda API on the wire, over functions that run nothing.
