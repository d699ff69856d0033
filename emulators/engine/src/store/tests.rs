//! The store: what it gives back, what it refuses, and what it does without room.
